-- End a run, on behalf of its owner.
update runs
set status = $4, output = $5, error = $6, error_code = $7, finished_at = $3, updated_at = $3, said = null,
    last_executor = executor, executor = null
where run_key = $1 and executor = $2 and revoked = false
