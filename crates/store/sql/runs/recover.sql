-- Release runs of a dead executor: they were recovered $3 times without progress, may be $4 times, and are ready at $5. If nothing
-- is to wake them before, $6 is that time too.
-- Checks the executors again: the statement that chose and locked the runs may have begun before another executor joined and
-- claimed some of them.
update runs
set last_executor = executor, executor = null, ready_at = $5, recover_at = $6, updated_at = $2, recoveries = $3,
    recoveries_max = $4, recovered_seq = (select coalesce(max(seq), 0) from checkpoints where run_key = runs.run_key)
where run_key = any($1) and executor is not null and revoked = false
    and not exists (select 1 from executors where executors.executor = runs.executor and not executors.dead)
