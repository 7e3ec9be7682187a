"""What has left the tables: interactions in Parquet files, in a folder or in an object store."""
