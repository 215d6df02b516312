mock_provider "aws" {
  source = "../mocks"
}

variables {
  cluster_name = "acme-tidemark-prod-euc1-k8s"
  cluster_arn  = "arn:aws:eks:eu-central-1:123456789012:cluster/acme-tidemark-prod-euc1-k8s"
  vpc_id       = "vpc-1"
  tags         = { app = "tidemark" }
}

run "controllers_change_what_is_this_clusters" {
  command = plan
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.this["alb-controller"].policy).Statement :
      contains(["Look", "BindWebAcl", "MakeSecurityGroupsHere"], statement.Sid) || strcontains(jsonencode(try(statement.Condition, "")), var.cluster_name)
    ])
    error_message = "The load balancer controller changes load balancers of others."
  }
  assert {
    condition     = length(aws_iam_role_policy.this["alb-controller"].policy) < 10240
    error_message = "The policy is longer than IAM takes."
  }
}
