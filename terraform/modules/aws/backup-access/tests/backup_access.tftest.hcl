mock_provider "aws" {
  source = "../mocks"
}

variables {
  cluster_name           = "acme-tidemark-prod-euc1-k8s"
  cluster_arn            = "arn:aws:eks:eu-central-1:123456789012:cluster/acme-tidemark-prod-euc1-k8s"
  bucket                 = "acme-tidemark-prod-euc1-archive"
  kms_key_arn            = "arn:aws:kms:eu-central-1:123456789012:key/1"
  longest_retention_days = 35
  tags                   = { app = "tidemark" }
  tenants = {
    shop   = { writer = "shop-mongodb", reader = "tidemark-reader", expirer = "tidemark-expirer" }
    bakery = { namespace = "bread", prefix = "eu/bakery", writer = "bakery-mongodb" }
  }
}

run "each_role_is_for_one_account_of_one_namespace_of_this_cluster" {
  command = plan
  assert {
    condition     = toset(keys(aws_iam_role.this)) == toset(["shop-writer", "shop-reader", "shop-expirer", "bakery-writer"])
    error_message = jsonencode(keys(aws_iam_role.this))
  }
  assert {
    condition = alltrue([
      for role in aws_iam_role.this : jsondecode(role.assume_role_policy).Statement[0].Principal.Service == "pods.eks.amazonaws.com" && jsondecode(role.assume_role_policy).Statement[0].Condition.ArnEquals["aws:SourceArn"] == var.cluster_arn
    ])
    error_message = "A role trusts more than this cluster."
  }
  assert {
    condition     = aws_eks_pod_identity_association.this["bakery-writer"].namespace == "bread" && jsondecode(aws_iam_role.this["bakery-writer"].assume_role_policy).Statement[0].Condition.StringEquals["aws:RequestTag/kubernetes-namespace"] == "bread"
    error_message = "The namespace of a tenant is ignored."
  }
  assert {
    condition     = alltrue([for key, role in aws_iam_role.this : length(role.name) <= 64])
    error_message = "A name is longer than IAM takes."
  }
}

run "an_account_has_one_role" {
  command = plan
  variables {
    tenants = { shop = { writer = "shop-mongodb", expirer = "shop-mongodb" } }
  }
  expect_failures = [var.tenants]
}

run "tenants_do_not_share_a_prefix" {
  command = plan
  variables {
    tenants = { shop = { writer = "a" }, store = { prefix = "shop", writer = "b" } }
  }
  expect_failures = [var.tenants]
}

run "no_prefix_lies_within_another" {
  command = plan
  variables {
    tenants = { shop = { writer = "a" }, eu = { prefix = "shop/eu", writer = "b" } }
  }
  expect_failures = [var.tenants]
}

run "names_that_begin_alike_are_no_obstacle" {
  command = plan
  variables {
    tenants = { shop = { writer = "a" }, shop-eu = { writer = "b" } }
  }
  assert {
    condition     = length(aws_iam_role.this) == 2
    error_message = "shop-eu is not within shop."
  }
}

run "a_long_name_would_be_too_long_for_a_role" {
  command = plan
  variables {
    tenants = { much-too-long-a-name = { writer = "a" } }
  }
  expect_failures = [var.tenants]
}
