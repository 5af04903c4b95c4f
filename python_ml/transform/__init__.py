"""From landed rows to gold: dbt, and the sentiment of texts between bronze and silver."""
