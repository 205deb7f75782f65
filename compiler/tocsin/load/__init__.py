"""Sources become values: lower one document at a time, then link them into a catalog."""
