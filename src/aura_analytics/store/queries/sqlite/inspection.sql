-- name: version
-- Which SQLite this is.
SELECT sqlite_version();

-- name: size
-- How many bytes the file has.
SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size();

-- name: begin
-- Take the lock of who writes, without writing.
BEGIN IMMEDIATE;
