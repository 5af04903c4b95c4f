"""What is missing for a run to succeed, here or on an account."""
