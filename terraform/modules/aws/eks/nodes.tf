resource "aws_iam_role" "nodes" {
  name                 = "${var.name}-nodes"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
  tags = var.tags
}

# Nodes join and pull, nothing else: what pods need they get by Pod Identity, and IMDS is out of their reach.
resource "aws_iam_role_policy_attachment" "nodes" {
  for_each = toset(["AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly"])

  role       = aws_iam_role.nodes.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/${each.key}"
}

locals {
  groups = merge(
    { system = { size = var.system_nodes, subnet_ids = values(var.node_subnet_ids), template = "system", labels = { "tidemark/pool" = "system" }, tainted = false } },
    {
      for zone, subnet in var.node_subnet_ids : "data-${zone}" => {
        size = var.data_nodes, subnet_ids = [subnet], template = "data", labels = { "tidemark/pool" = "data" }, tainted = true
      }
    },
  )

  # What mongod warns of at its start. Huge pages: never, for servers before 8.0.
  tuning = <<-EOT
    MIME-Version: 1.0
    Content-Type: multipart/mixed; boundary="tidemark"

    --tidemark
    Content-Type: text/x-shellscript; charset="us-ascii"

    #!/bin/sh
    set -eu
    printf 'vm.max_map_count = 262144\nvm.swappiness = 1\nnet.ipv4.tcp_keepalive_time = 120\n' >/etc/sysctl.d/90-tidemark.conf
    sysctl --quiet --load /etc/sysctl.d/90-tidemark.conf
    echo never >/sys/kernel/mm/transparent_hugepage/enabled
    echo never >/sys/kernel/mm/transparent_hugepage/defrag

    --tidemark--
  EOT
}

resource "aws_launch_template" "this" {
  for_each = { system = { disk = var.system_nodes.disk_gib, user_data = null }, data = { disk = var.data_nodes.disk_gib, user_data = base64encode(local.tuning) } }

  name_prefix            = "${var.name}-${each.key}-"
  update_default_version = true
  user_data              = each.value.user_data

  # Version 2 only, and one hop: a pod cannot ask for the node's credentials.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_type           = "gp3"
      volume_size           = each.value.disk
      encrypted             = true
      delete_on_termination = true
    }
  }

  monitoring {
    enabled = true
  }

  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume", "network-interface"])
    content {
      resource_type = tag_specifications.value
      tags          = merge(var.tags, { Name = "${var.name}-${each.key}" })
    }
  }

  tags = var.tags
}

resource "aws_eks_node_group" "this" {
  for_each = local.groups

  cluster_name           = aws_eks_cluster.this.name
  node_group_name_prefix = "${each.key}-"
  node_role_arn          = aws_iam_role.nodes.arn
  subnet_ids             = each.value.subnet_ids
  ami_type               = "AL2023_x86_64_STANDARD"
  capacity_type          = "ON_DEMAND"
  instance_types         = each.value.size.instance_types
  version                = var.kubernetes_version
  labels                 = each.value.labels

  launch_template {
    id      = aws_launch_template.this[each.value.template].id
    version = aws_launch_template.this[each.value.template].latest_version
  }

  scaling_config {
    min_size     = each.value.size.min
    max_size     = each.value.size.max
    desired_size = each.value.size.min
  }

  update_config {
    max_unavailable = 1
  }

  node_repair_config {
    enabled = true
  }

  dynamic "taint" {
    for_each = each.value.tainted ? [1] : []
    content {
      key    = "tidemark/pool"
      value  = "data"
      effect = "NO_SCHEDULE"
    }
  }

  # The autoscaler finds groups by them.
  tags = merge(var.tags, { "k8s.io/cluster-autoscaler/enabled" = "true", "k8s.io/cluster-autoscaler/${var.name}" = "owned" })

  lifecycle {
    create_before_destroy = true
    # The autoscaler's.
    ignore_changes = [scaling_config[0].desired_size]
  }

  # Without the network addon a node never gets ready, and without the policies it cannot leave in an orderly way.
  depends_on = [aws_iam_role_policy_attachment.nodes, aws_eks_addon.before_nodes]
}
