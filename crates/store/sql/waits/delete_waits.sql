-- Delete the waits of deleted runs.
delete from waits
where run_key = any($1)
