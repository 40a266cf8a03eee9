-- A run that gathers has enough: it is due, and takes no more.
update runs
set ready_at = $2, updated_at = $2, gather = null
where run_key = $1 and status = 'delayed'
