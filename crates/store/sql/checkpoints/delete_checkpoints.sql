-- Delete the checkpoints of deleted runs.
delete from checkpoints
where run_key = any($1)
