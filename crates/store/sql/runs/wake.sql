-- Something that a parked run may wait for has happened: look again.
update runs
set ready_at = $2
where run_key = $1 and executor is null and status = 'running'
