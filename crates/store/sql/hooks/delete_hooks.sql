-- Delete the hooks of deleted runs.
delete from hooks
where run_key = any($1)
