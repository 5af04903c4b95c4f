resource "aws_sagemaker_model_package_group" "churn" {
  model_package_group_name        = "${var.name}-churn"
  model_package_group_description = "Churn models; each version with its metrics, card and approval"
}
