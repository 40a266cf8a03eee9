-- Replace the attributes of a run.
update runs
set attributes = $2
where run_key = $1
