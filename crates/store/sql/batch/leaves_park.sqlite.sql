-- A run is owned by nobody until it is ready.
update runs
set executor = null, ready_at = $4, updated_at = $3
where run_key = $1 and executor = $2 and revoked = false
