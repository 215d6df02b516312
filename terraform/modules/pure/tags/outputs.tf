output "tags" {
  description = "Tags of every resource that takes some; on AWS as default_tags of the provider."
  value       = local.tags
  precondition {
    # Azure's limits, the narrower ones: 50 tags, 256 characters; AWS allows no other characters than these.
    condition     = length(local.tags) <= 50 && alltrue([for name, value in local.tags : can(regex("^[\\w .:/=+@-]{1,128}$", name)) && can(regex("^[\\w .:/=+@-]{0,256}$", value))])
    error_message = "At most 50 tags, of letters, digits, spaces and . : / = + - @ _."
  }
}
