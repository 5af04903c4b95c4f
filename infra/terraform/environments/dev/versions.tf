terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0, < 7.0"
    }
  }

  # The bucket is named at `terraform init -backend-config=bucket=…`; the lock is a file beside the state.
  backend "s3" {
    key          = "spanishgas/dev.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
