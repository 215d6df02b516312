mock_provider "aws" {
  source = "../mocks"
}

variables {
  name = "acme-tidemark-prod-euc1-edge"
  tags = { app = "tidemark" }
}

run "one_address_is_limited_first_of_all" {
  command = plan
  variables {
    requests_per_address = 1000
  }
  assert {
    condition = length([
      for rule in aws_wafv2_web_acl.this.rule : rule if rule.priority == 0 && try(rule.statement[0].rate_based_statement[0].limit == 1000 && length(rule.action[0].block) == 1, false)
    ]) == 1
    error_message = "The rate rule is not the first, or does not block."
  }
}

run "a_limit_that_waf_would_refuse" {
  command = plan
  variables {
    requests_per_address = 5
  }
  expect_failures = [var.requests_per_address]
}
