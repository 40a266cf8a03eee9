-- Wake parked runs that wait for an event which this batch set. A row that another session holds is stepped over; the sweep in
-- runs/wake_missed.sql makes up for that.
with parked as materialized (
    select runs.run_key, given.at
    from unnest($1::uuid[], $2::text[], $3::bigint[]) as given (run_key, key, at)
    join runs as target on target.run_key = given.run_key
    join waits on waits.target = target.id and waits.topic = given.key
    join runs on runs.run_key = waits.run_key
    where runs.executor is null and runs.status = 'running'
        and given.run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
    for no key update of runs skip locked
),
woken as (
    update runs
    set ready_at = parked.at
    from parked
    where runs.run_key = parked.run_key
    returning runs.run_key
)
select pg_notify('onward', 'ready') as told
where exists (select 1 from woken)
