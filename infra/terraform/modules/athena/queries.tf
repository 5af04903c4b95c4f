# The questions of an analyst's first day, saved in the work group. Their SQL is that of dbt's analyses,
# which use nothing of Jinja but ref(); its first line says the question.
locals {
  questions_folder = "${path.module}/../../../../analyses"
  questions = {
    for file in fileset(local.questions_folder, "*.sql") :
    trimsuffix(file, ".sql") => file("${local.questions_folder}/${file}")
  }
}

resource "aws_athena_named_query" "this" {
  for_each = local.questions

  name        = each.key
  description = trimprefix(split("\n", each.value)[0], "-- ")
  workgroup   = aws_athena_workgroup.this.id
  database    = aws_glue_catalog_database.this[var.schema].name
  query       = replace(each.value, "/\\{\\{ ref\\('(\\w+)'\\) \\}\\}/", "$1")
}
