# terraform init -backend-config=../backend.hcl
storage_account_name = "acmetidemarkstagingweust"
container_name       = "tfstate"
