-- Delete the waits of runs that are deleted.
delete from waits
where run_key = any($1)
