-- Delete the records of pushes to deleted runs.
delete from pushes
where run_key = any($1)
