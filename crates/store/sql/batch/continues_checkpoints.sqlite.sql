-- Delete the checkpoints of a run whose next generation begins.
delete from checkpoints
where run_key = $1
