-- Delete the histories of deleted runs.
delete from steerings
where run_key = any($1)
