-- End the ownership of runs that finish, park, are held or are released. Returns the runs for which this failed: a run is busy
-- if another session merely locks its row, and is tried again in the next batch; otherwise this executor no longer owns it.
-- A batch never waits for a row: one client that sleeps on a lock would stop every run of the executor. Busy runs are also
-- noted beside the fence, for an executor that lost the answer.
-- `is not distinct from` cannot use an index, so rows are found by key: a plan made while `runs` was empty scanned all runs of
-- the executor for each run that leaves (1,500 ms for 1,000 of 5,000; 15 ms by key).
with leaving as materialized (
    select run_key, how, at, status, ready_at, said, output, error, error_code
    from unnest(
        $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[],
        $10::text[]
    ) as given (run_key, how, at, status, ready_at, said, output, error, error_code)
    where run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
),
held as materialized (
    select leaving.run_key, leaving.how, leaving.at, leaving.status, leaving.ready_at, leaving.said, leaving.output,
        leaving.error, leaving.error_code
    from leaving
    join runs on runs.run_key = leaving.run_key
    where runs.executor is not distinct from $1 and (leaving.how = 'let_go' or not runs.revoked)
    for no key update of runs skip locked
),
gone as (
    update runs
    set last_executor = runs.executor, executor = null, revoked = false, updated_at = held.at,
        status = coalesce(held.status, runs.status),
        ready_at = case
            when held.how = 'parked' then held.ready_at
            when held.how = 'let_go' and not runs.revoked then held.at
            else runs.ready_at
        end,
        said = case when held.how in ('finished', 'held') then held.said else runs.said end,
        output = case held.how when 'finished' then held.output else runs.output end,
        error = case when held.how in ('finished', 'held') then held.error else runs.error end,
        error_code = case when held.how in ('finished', 'held') then held.error_code else runs.error_code end,
        finished_at = case held.how when 'finished' then held.at else runs.finished_at end
    from held
    where runs.run_key = held.run_key
    returning runs.run_key
),
left_behind as materialized (
    select run_key, exists (
        select 1
        from runs
        where runs.run_key = leaving.run_key and runs.executor is not distinct from $1
            and (leaving.how = 'let_go' or not runs.revoked)
    ) as busy
    from leaving
    where run_key not in (select run_key from gone)
),
noted as (
    update fences
    set busy = (select array_agg(run_key) from left_behind where busy)
    where executor = $1 and shard = 0 and exists (select 1 from left_behind where busy)
)
select run_key, busy
from left_behind
