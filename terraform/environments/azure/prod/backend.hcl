# terraform init -backend-config=../backend.hcl
storage_account_name = "acmetidemarkprodweust"
