variables {
  provider_name      = "aws"
  environment        = "restore"
  region             = "eu-central-1"
  source_environment = "prod"
  created_at         = "2026-11-29T12:00:00Z"
  cluster = {
    name     = "acme-tidemark-restore-euc1-k8s-7f3a9c"
    endpoint = "https://example.eks.amazonaws.com"
    ca_data  = "c3R1Yg=="
    auth     = { kind = "exec", command = "aws", args = ["eks", "get-token"] }
  }
  kube_context  = "acme-tidemark-restore-euc1-k8s-7f3a9c"
  namespace     = "shop"
  storage_class = "tidemark-gp3"
  workload_identity = {
    kind            = "eks-pod-identity"
    service_account = "shop-mongodb"
    identity        = "arn:aws:iam::123456789012:role/reader"
  }
  archive = {
    url         = "s3://acme-tidemark-prod-euc1-archive/shop?region=eu-central-1"
    kms_key     = "arn:aws:kms:eu-central-1:123456789012:key/1"
    object_lock = { mode = "compliance", days = 35 }
  }
  registry = { host = "123456789012.dkr.ecr.eu-central-1.amazonaws.com", repositories = ["tidemark/sidecar"] }
}

run "all_fields_are_there" {
  command = plan
  assert {
    condition = toset(keys(output.contract)) == toset([
      "schema_version", "provider", "environment", "region", "source_environment", "created_at", "cluster", "kube_context", "namespace", "storage_class",
      "node_pool_labels", "workload_identity", "archive", "registry", "ingress", "chart", "destination_uri"
    ])
    error_message = jsonencode(keys(output.contract))
  }
  assert {
    condition     = output.contract.schema_version == 1
    error_message = "Another version needs another reader."
  }
}

run "the_local_provider_needs_no_cloud" {
  command = plan
  variables {
    provider_name     = "local"
    cluster           = null
    kube_context      = null
    namespace         = null
    workload_identity = { kind = "none" }
    registry          = null
    storage_class     = null
    archive           = { url = "file:///srv/archive" }
    destination_uri   = "mongodb://127.0.0.1:27017/?replicaSet=rs0"
  }
  assert {
    condition     = output.contract.cluster == null && output.contract.destination_uri != null
    error_message = jsonencode(output.contract)
  }
}

run "passwords_are_refused" {
  command = plan
  variables {
    destination_uri = "mongodb://root:secret@127.0.0.1:27017/"
    archive         = { url = "azblob://account/container/shop?sig=abc" }
  }
  expect_failures = [var.destination_uri, var.archive]
}

run "trust_bound_to_an_issuer_names_it" {
  command = plan
  variables {
    workload_identity = { kind = "aks-workload-identity", service_account = "shop-mongodb", identity = "00000000-0000-4000-8000-000000000000" }
  }
  expect_failures = [var.workload_identity]
}

run "a_command_that_prints_a_token_is_named" {
  command = plan
  variables {
    cluster = { name = "x", endpoint = "https://x", ca_data = "c3R1Yg==", auth = { kind = "exec" } }
  }
  expect_failures = [var.cluster]
}

run "another_provider_time_way_in_or_identity_is_refused" {
  command = plan
  variables {
    provider_name     = "gcp"
    created_at        = "yesterday"
    cluster           = { name = "x", endpoint = "https://x", ca_data = "c3R1Yg==", auth = { kind = "token" } }
    workload_identity = { kind = "kiam", service_account = "shop-mongodb", identity = "x" }
    archive           = { url = "https://example.com/archive" }
  }
  expect_failures = [var.provider_name, var.created_at, var.cluster, var.workload_identity, var.archive]
}

run "an_identity_is_somebodys_and_a_lock_has_a_mode" {
  command = plan
  variables {
    workload_identity = { kind = "eks-pod-identity", service_account = "shop-mongodb" }
    archive           = { url = "s3://b/shop", object_lock = { mode = "forever", days = 1 } }
  }
  expect_failures = [var.workload_identity, var.archive]
}

run "a_server_alone_is_for_the_local_provider_only" {
  command = plan
  variables {
    cluster           = null
    kube_context      = null
    namespace         = null
    workload_identity = { kind = "none" }
    destination_uri   = "mongodb://127.0.0.1:27017/"
  }
  expect_failures = [output.contract]
}

run "a_cluster_and_a_server_are_two_destinations" {
  command = plan
  variables {
    provider_name   = "local"
    destination_uri = "mongodb://127.0.0.1:27017/"
  }
  expect_failures = [output.contract]
}

run "a_cluster_has_a_namespace" {
  command = plan
  variables {
    namespace = null
  }
  expect_failures = [output.contract]
}

run "a_chart_is_for_a_cluster" {
  command = plan
  variables {
    cluster           = null
    kube_context      = null
    namespace         = null
    workload_identity = { kind = "none" }
    provider_name     = "local"
    destination_uri   = "mongodb://127.0.0.1:27017/"
    chart             = { install = true }
  }
  expect_failures = [output.contract]
}

run "a_cloud_has_a_storage_class" {
  command = plan
  variables {
    storage_class = null
  }
  expect_failures = [output.contract]
}
