-- A dead executor lets go of the runs that were taken from it.
update runs
set executor = null, revoked = false, updated_at = $2
where run_key = any($1) and revoked = true
