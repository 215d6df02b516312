mock_provider "aws" {
  source = "../mocks"
}

variables {
  name                     = "acme-tidemark-prod-euc1-k8s"
  control_plane_subnet_ids = ["subnet-1", "subnet-2", "subnet-3"]
  node_subnet_ids          = { eu-central-1a = "subnet-4", eu-central-1b = "subnet-5", eu-central-1c = "subnet-6" }
  api_client_cidrs         = ["10.8.0.0/16"]
  tags                     = { app = "tidemark" }
  access = {
    operators = { principal_arn = "arn:aws:iam::123456789012:role/operators", policies = { AmazonEKSClusterAdminPolicy = [] } }
    auditors  = { principal_arn = "arn:aws:iam::123456789012:role/auditors", policies = { AmazonEKSViewPolicy = ["shop"] } }
  }
}

run "the_api_server_is_private_and_logs_who_did_what" {
  command = plan
  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access == false && aws_eks_cluster.this.vpc_config[0].endpoint_private_access
    error_message = "The API server has a public endpoint."
  }
  assert {
    condition     = contains(aws_eks_cluster.this.enabled_cluster_log_types, "audit")
    error_message = "No audit log."
  }
  assert {
    condition     = tolist(aws_eks_cluster.this.encryption_config[0].resources) == tolist(["secrets"])
    error_message = "Secrets lie in the clear in etcd."
  }
  assert {
    condition     = aws_eks_cluster.this.deletion_protection
    error_message = "A cluster that is not protected from deletion."
  }
}

run "access_is_what_is_named" {
  command = plan
  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API" && aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions == false
    error_message = "Whoever applied would be an administrator that nobody named."
  }
  assert {
    condition     = aws_eks_access_policy_association.this["auditors/AmazonEKSViewPolicy"].access_scope[0].type == "namespace"
    error_message = "Namespaces of an access policy are ignored."
  }
  assert {
    condition     = aws_eks_access_policy_association.this["operators/AmazonEKSClusterAdminPolicy"].access_scope[0].type == "cluster"
    error_message = "An access policy without namespaces is for the cluster."
  }
}

run "databases_have_nodes_of_their_own_in_each_zone" {
  command = plan
  assert {
    condition     = toset(keys(aws_eks_node_group.this)) == toset(["system", "data-eu-central-1a", "data-eu-central-1b", "data-eu-central-1c"])
    error_message = jsonencode(keys(aws_eks_node_group.this))
  }
  assert {
    condition = alltrue([
      for name, group in aws_eks_node_group.this : length(group.subnet_ids) == 1 && one(group.taint).key == "tidemark/pool" && group.labels["tidemark/pool"] == "data" if name != "system"
    ])
    error_message = "A data group spans zones, or takes other pods."
  }
  assert {
    condition     = alltrue([for template in aws_launch_template.this : template.metadata_options[0].http_tokens == "required" && template.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "Pods can ask for the credentials of the node."
  }
  assert {
    condition     = strcontains(base64decode(aws_launch_template.this["data"].user_data), "vm.max_map_count")
    error_message = "Nodes of databases are not tuned."
  }
}

run "the_network_comes_before_nodes" {
  command = plan
  assert {
    condition     = contains(keys(aws_eks_addon.before_nodes), "vpc-cni") && contains(keys(aws_eks_addon.before_nodes), "eks-pod-identity-agent") && contains(keys(aws_eks_addon.after_nodes), "coredns")
    error_message = "Order of addons."
  }
  assert {
    condition     = jsondecode(aws_eks_addon.before_nodes["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "Network policies are not enforced."
  }
}

run "the_internet_is_no_client" {
  command = plan
  variables {
    api_client_cidrs   = ["0.0.0.0/0"]
    kubernetes_version = "1.28"
    access             = { somebody = { principal_arn = "arn:aws:iam::123456789012:user/somebody" } }
  }
  expect_failures = [var.api_client_cidrs, var.kubernetes_version, var.access]
}

run "a_name_that_leaves_no_room_for_roles_is_refused" {
  command = plan
  variables {
    name = "acme-tidemark-production-eu-central-1-kubernetes"
  }
  expect_failures = [var.name]
}
