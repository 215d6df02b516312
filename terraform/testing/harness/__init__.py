"""Runs Terraform offline: copies of the configuration, providers that are schemas only, plans and states as values."""
