# What a plan shows. That it works is shown with real servers by terraform/testing/tests/test_local_environment.py.

variables {
  suffix = "a1b2c3"
  folder = "/tmp"
  mongod = "/bin/sh"
}

run "everything_is_in_one_folder_with_the_suffix" {
  command = plan
  assert {
    condition     = output.path == "/tmp/tidemark-restore-a1b2c3"
    error_message = output.path
  }
  assert {
    condition     = terraform_data.place.input.path == output.path
    error_message = "What is removed is another folder than what is made."
  }
  assert {
    condition     = terraform_data.servers.triggers_replace == terraform_data.asked.input.at
    error_message = "Servers that are not there yet are to be started."
  }
}

run "a_fresh_suffix_is_required" {
  command = plan
  variables {
    suffix = "../x"
  }
  expect_failures = [var.suffix]
}

run "paths_are_absolute" {
  command = plan
  variables {
    folder = "data"
    mongod = "mongod"
  }
  expect_failures = [var.folder, var.mongod]
}

run "a_slash_at_the_end_would_be_another_path" {
  command = plan
  variables {
    folder = "/tmp/"
  }
  expect_failures = [var.folder]
}

run "two_members_are_no_replica_set_that_survives_one" {
  command = plan
  variables {
    members = 2
  }
  expect_failures = [var.members]
}

run "a_name_that_would_be_read_as_options_of_the_uri" {
  command = plan
  variables {
    replica_set = "rs0&ssl=true"
  }
  expect_failures = [var.replica_set]
}

run "the_folder_is_there" {
  command = plan
  variables {
    folder = "/no/such/folder"
  }
  expect_failures = [terraform_data.asked]
}

run "the_program_is_there" {
  command = plan
  variables {
    mongod = "/no/such/mongod"
  }
  expect_failures = [terraform_data.asked]
}
