# One form of names for every service: {organisation}-{application}-{environment}-{region}-{component}[-{suffix}].
# Services that are stricter (no hyphens, fewer characters, unique in the world) have forms of their own below.

locals {
  # "eu-central-1" is euc1, "ap-southeast-2" aps2, "us-gov-west-1" usgw1; Azure has no hyphens: "westeurope" is weu, "germanywestcentral" gwc.
  azure_short = {
    australiaeast    = "aue", brazilsouth = "brs", canadacentral = "cac", centralus = "cus", eastus = "eus", eastus2 = "eus2"
    francecentral    = "frc", germanywestcentral = "gwc", italynorth = "itn", japaneast = "jpe", northeurope = "neu", norwayeast = "noe"
    polandcentral    = "plc", southcentralus = "scus", southeastasia = "sea", spaincentral = "spc", swedencentral = "sdc"
    switzerlandnorth = "szn", uksouth = "uks", westeurope = "weu", westus2 = "wus2", westus3 = "wus3"
  }
  parts = split("-", var.region)
  # The points of the compass that are two words (southeast, northwest) keep one letter of each, or ap-south-1 and ap-southeast-1 would be one.
  points = { northeast = "ne", northwest = "nw", southeast = "se", southwest = "sw" }
  aws_short = join("", [
    for index, part in local.parts :
    index == 0 ? part : (index == length(local.parts) - 1 ? part : lookup(local.points, part, substr(part, 0, 1)))
  ])
  region_short = lookup(local.azure_short, var.region, local.aws_short)

  base   = join("-", compact([var.organisation, var.application, var.environment, local.region_short]))
  suffix = var.suffix == "" ? "" : "-${var.suffix}"

  # Storage accounts and container registries take letters and digits only.
  compact = join("", compact([var.organisation, var.application, var.environment, local.region_short]))
}
