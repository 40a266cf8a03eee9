-- Runs leave their owner, each in its way. Says which did not: a run is busy where only its row is held by another
-- session, and comes again with the next batch; else it is no longer its owner's.
-- A batch waits for no row, for one client that sleeps on a lock would then stop every run of the executor. Which runs were
-- busy stands beside the fence too, for an executor that lost the answer.
-- `is not distinct from` finds no index, so rows are found by their keys: a plan that was made while `runs` was empty looked
-- through all runs of the executor for each that leaves (1,500 ms for 1,000 of 5,000; by their keys 15 ms).
with leaving as materialized (
    select run_key, how, at, status, ready_at, said, output, error
    from unnest(
        $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[]
    ) as given (run_key, how, at, status, ready_at, said, output, error)
    where run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
),
held as materialized (
    select leaving.run_key, leaving.how, leaving.at, leaving.status, leaving.ready_at, leaving.said, leaving.output,
        leaving.error
    from leaving
    join runs on runs.run_key = leaving.run_key
    where runs.executor is not distinct from $1 and (leaving.how = 'let_go' or not runs.revoked)
    for no key update of runs skip locked
),
gone as (
    update runs
    set executor = null, revoked = false, updated_at = held.at,
        status = coalesce(held.status, runs.status),
        ready_at = case
            when held.how = 'parked' then held.ready_at
            when held.how = 'let_go' and not runs.revoked then held.at
            else runs.ready_at
        end,
        said = case when held.how in ('finished', 'held') then held.said else runs.said end,
        output = case held.how when 'finished' then held.output else runs.output end,
        error = case when held.how in ('finished', 'held') then held.error else runs.error end,
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
