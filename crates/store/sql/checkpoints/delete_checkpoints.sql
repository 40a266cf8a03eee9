-- Delete the checkpoints of runs that are deleted.
delete from checkpoints
where run_key = any($1)
