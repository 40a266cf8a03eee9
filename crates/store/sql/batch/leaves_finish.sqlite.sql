-- A run ends, by its owner.
update runs
set status = $4, output = $5, error = $6, finished_at = $3, updated_at = $3, executor = null, said = null
where run_key = $1 and executor = $2 and revoked = false
