-- Give up runs that crashed their executor too often. Checks the executors again, as in runs/recover.sql.
update runs
set status = 'retries_exceeded', last_executor = executor, executor = null, ready_at = null, finished_at = $2,
    updated_at = $2, recoveries = recoveries + 1, said = $3
where run_key = any($1) and revoked = false
    and not exists (select 1 from executors where executors.executor = runs.executor and not executors.dead)
