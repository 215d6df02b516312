run "three_zones_have_three_subnets_of_each_tier" {
  command = plan
  variables {
    cidr = "10.20.0.0/16"
  }
  assert {
    condition     = output.private == tolist(["10.20.0.0/19", "10.20.32.0/19", "10.20.64.0/19"])
    error_message = jsonencode(output.private)
  }
  assert {
    condition     = output.intra == tolist(["10.20.192.0/22", "10.20.196.0/22", "10.20.200.0/22"])
    error_message = jsonencode(output.intra)
  }
  assert {
    condition     = output.public == tolist(["10.20.224.0/22", "10.20.228.0/22", "10.20.232.0/22"])
    error_message = jsonencode(output.public)
  }
  assert {
    condition     = output.addresses_per_zone == 8192
    error_message = output.addresses_per_zone
  }
}

run "a_fourth_zone_moves_no_subnet" {
  command = plan
  variables {
    cidr  = "10.20.0.0/16"
    zones = 4
  }
  assert {
    condition     = slice(output.private, 0, 3) == tolist(["10.20.0.0/19", "10.20.32.0/19", "10.20.64.0/19"]) && length(distinct(concat(output.private, output.intra, output.public))) == 12
    error_message = jsonencode([output.private, output.intra, output.public])
  }
}

run "beside_other_networks" {
  command = plan
  variables {
    cidr  = "10.20.0.0/16"
    taken = ["10.21.0.0/16", "10.16.0.0/14", "192.168.0.0/24"]
  }
  assert {
    condition     = length(output.private) == 3
    error_message = "Networks beside it are no obstacle."
  }
}

run "within_another_network_is_refused" {
  command = plan
  variables {
    cidr  = "10.20.0.0/16"
    taken = ["10.0.0.0/8"]
  }
  expect_failures = [output.private]
}

run "the_very_network_being_taken_is_refused" {
  command = plan
  variables {
    cidr  = "10.20.0.0/16"
    taken = ["10.20.0.0/16", "10.20.0.0/16"]
  }
  expect_failures = [output.private]
}

run "a_part_of_it_being_taken_is_refused" {
  command = plan
  variables {
    cidr  = "10.20.0.0/16"
    taken = ["10.20.255.0/24"]
  }
  expect_failures = [output.private]
}

run "public_addresses_are_refused" {
  command = plan
  variables {
    cidr = "52.10.0.0/16"
  }
  expect_failures = [var.cidr]
}

run "a_range_that_begins_elsewhere_is_refused" {
  command = plan
  variables {
    cidr = "10.20.1.0/16"
  }
  expect_failures = [var.cidr]
}

run "too_small_and_too_many_zones_are_refused" {
  command = plan
  variables {
    cidr  = "10.20.0.0/24"
    zones = 5
  }
  expect_failures = [var.cidr, var.zones]
}
