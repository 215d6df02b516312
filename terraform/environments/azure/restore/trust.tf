# The issuer trap. A federated credential trusts the issuer of ONE cluster, and a cluster made anew has another issuer, whatever its name. If nothing were done here, the restore
# would stop at its first read of the archive, and, worse, a restored database would run for days without writing a backup, refused with AADSTS70021 in a log that nobody reads.
#
# So the credential of the NEW cluster's issuer is made here, from the cluster's own output. It stands beside those of the source's cluster, which keep working, and goes with this
# root: an identity takes 20. A drill gets the reader only, so that it cannot add to what it proves; who goes on with the restored database (resume_backups) gets the writer.

module "federation" {
  source = "../../../modules/azure/federation"

  issuer   = module.cluster.issuer
  bindings = merge(local.tenant_binding, local.edge_binding)
}

locals {
  namespace       = coalesce(var.tenant.namespace, var.tenant.name)
  release         = coalesce(var.tenant.release, var.tenant.name)
  service_account = "${local.release}-mongodb"
  holder          = var.resume_backups ? "writer" : "reader"
  source          = var.archive.tenants[var.tenant.name]

  tenant_binding = {
    "${var.tenant.name}/${local.holder}" = {
      identity_id = local.source.identities[local.holder].id, namespace = local.namespace, service_account = local.service_account
    }
  }
  edge_binding = var.edge == null ? {} : {
    edge = { identity_id = module.edge[0].controller_identity_id, namespace = "azure-alb-system", service_account = "alb-controller-sa" }
  }
}
