-- Delete the hooks of runs that are deleted.
delete from hooks
where run_key = any($1)
