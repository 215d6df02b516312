output "documents" {
  description = "Policies as JSON: writer (sidecar), reader (dr-cli restore, verify, drill) and expirer (dr-cli expire)."
  value       = { for role, statements in { writer = local.writer, reader = local.reader, expirer = local.expirer } : role => jsonencode({ Version = "2012-10-17", Statement = statements }) }
  precondition {
    # IAM counts characters without white space; an inline policy of a role has 10,240 of them.
    condition     = alltrue([for statements in [local.writer, local.reader, local.expirer] : length(jsonencode(statements)) < 6144])
    error_message = "A policy is longer than IAM takes: shorten the prefix."
  }
}
