-- Release runs of a dead executor. $3 says what they did since their last recovery: `progress`, `stuck`, or `idle`.
-- Checks the executors again: the statement that chose and locked the runs may have begun before another executor joined and
-- claimed some of them.
update runs
set last_executor = executor, executor = null, ready_at = $2, updated_at = $2,
    recoveries = case $3 when 'progress' then 1 when 'stuck' then recoveries + 1 else recoveries end,
    recovered_seq = (select coalesce(max(seq), 0) from checkpoints where run_key = runs.run_key)
where run_key = any($1) and executor is not null and revoked = false
    and not exists (select 1 from executors where executors.executor = runs.executor and not executors.dead)
