-- A dead executor lets go of the runs that were taken from it. Looks at the executors again, as in runs/recover.sql.
update runs
set executor = null, revoked = false, updated_at = $2
where run_key = any($1) and revoked = true
    and not exists (select 1 from executors where executors.executor = runs.executor and not executors.dead)
