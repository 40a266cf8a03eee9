-- Release the revoked runs of a dead executor. Checks the executors again, as in runs/recover.sql.
update runs
set last_executor = executor, executor = null, revoked = false, updated_at = $2
where run_key = any($1) and revoked = true
    and not exists (select 1 from executors where executors.executor = runs.executor and not executors.dead)
