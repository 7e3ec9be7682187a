"""The numbers: a file a metric family, SQL over the columns. Knows no HTTP."""
