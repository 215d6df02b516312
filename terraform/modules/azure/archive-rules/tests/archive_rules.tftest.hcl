run "conditions_name_every_action_that_changes_something" {
  command = plan
  assert {
    condition = alltrue([
      for role in output.roles : alltrue([
        for action in role.data_actions : endswith(action, "/read") || length(regexall("ActionMatches\\{'${action}'\\}", role.condition)) == 1
      ]) if role.condition != null
    ])
    error_message = "An action that the condition does not name is free everywhere in the container."
  }
  assert {
    condition     = [for name, role in output.roles : name if role.condition == null] == ["writer-archive"]
    error_message = "Only the writer at the archive is bound to no path: retention stands behind it."
  }
}

run "each_holder_has_a_role_at_each_store" {
  command = plan
  assert {
    condition     = toset([for role in output.roles : "${role.holder}-${role.store}"]) == toset(keys(output.roles)) && length(output.roles) == 6
    error_message = jsonencode(keys(output.roles))
  }
}
