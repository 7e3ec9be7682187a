"""What happened: the records, and the way from bytes to them."""
