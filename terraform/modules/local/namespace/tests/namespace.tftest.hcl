# What a plan shows. What it does in a cluster is shown by terraform/testing/tests/test_local_environment.py.

variables {
  suffix     = "a1b2c3"
  kubeconfig = abspath("tests/kubeconfig")
}

run "the_current_context_says_which_cluster" {
  command = plan
  assert {
    condition     = output.name == "restore-a1b2c3" && output.context == "first"
    error_message = "${output.name}, ${output.context}"
  }
  assert {
    condition     = output.cluster == { name = "one", endpoint = "https://10.0.0.1:6443", ca_data = "b25l", auth = { kind = "file", args = [var.kubeconfig] } }
    error_message = jsonencode(output.cluster)
  }
}

run "another_context_is_another_cluster_whose_authority_may_be_a_file" {
  command = plan
  variables {
    context = "second"
  }
  assert {
    condition     = output.cluster.endpoint == "https://10.0.0.2:6443" && output.cluster.ca_data == filebase64("tests/kubeconfig")
    error_message = jsonencode(output.cluster)
  }
}

run "a_cluster_without_encryption_is_refused" {
  command = plan
  variables {
    context = "third"
  }
  expect_failures = [terraform_data.asked]
}

run "a_context_that_is_not_there_is_refused" {
  command = plan
  variables {
    context = "fourth"
  }
  expect_failures = [terraform_data.asked]
}

run "a_kubeconfig_that_is_not_there_is_refused" {
  command = plan
  variables {
    kubeconfig = "/no/such/kubeconfig"
  }
  expect_failures = [terraform_data.asked]
}

run "names_are_checked" {
  command = plan
  variables {
    suffix       = ""
    prefix       = "Restore"
    pod_security = "none"
    secrets      = ["archive"]
  }
  expect_failures = [var.suffix, var.prefix, var.pod_security, var.secrets]
}

run "a_relative_kubeconfig_would_depend_on_the_working_folder" {
  command = plan
  variables {
    kubeconfig = "tests/kubeconfig"
  }
  expect_failures = [var.kubeconfig]
}
