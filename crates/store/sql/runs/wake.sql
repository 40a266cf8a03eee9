-- Wake a parked run, because something that it may wait for has happened.
update runs
set ready_at = $2
where run_key = $1 and executor is null and status = 'running' and recover_at is null
