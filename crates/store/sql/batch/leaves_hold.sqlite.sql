-- Hold a run, which pauses it on behalf of its owner because continuing would lose something.
update runs
set status = 'paused', said = $4, error = $5, error_code = $6, last_executor = executor, executor = null, ready_at = null,
    updated_at = $3
where run_key = $1 and executor = $2 and revoked = false
