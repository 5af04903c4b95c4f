"""What only the target athena needs of AWS."""
