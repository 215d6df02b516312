# terraform init -backend-config=../backend.hcl
bucket       = "acme-tidemark-staging-euc1-state"
region       = "eu-central-1"
encrypt      = true
use_lockfile = true
