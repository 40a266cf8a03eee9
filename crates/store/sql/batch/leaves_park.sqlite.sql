-- Park a run: it has no owner until it is ready.
update runs
set last_executor = executor, executor = null, ready_at = $4, updated_at = $3
where run_key = $1 and executor = $2 and revoked = false
