"""The archive: interactions of days long past, out of the live tables and in files of their own."""
