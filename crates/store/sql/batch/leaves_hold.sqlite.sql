-- A run is paused by its owner, because going on would lose something.
update runs
set status = 'paused', said = $4, error = $5, executor = null, ready_at = null, updated_at = $3
where run_key = $1 and executor = $2 and revoked = false
