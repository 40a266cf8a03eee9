-- Delete what is known of pushes to runs that are deleted.
delete from pushes
where run_key = any($1)
