-- Wake parked runs: the parents of runs that ended, and, where `if_done`, runs that were parked just now but whose child has
-- ended already, whose message or event is there, or whose sleep somebody ended. Who waits, checks last: their rows were
-- written by an earlier statement, so this one sees what it must.
-- A row that another session holds is stepped over; the sweep in runs/wake_missed.sql makes up for that.
with parked as materialized (
    select runs.run_key, given.at
    from unnest($1::uuid[], $2::bigint[], $3::boolean[]) as given (run_key, at, if_done)
    join runs on runs.run_key = given.run_key
    where runs.executor is null and runs.status = 'running' and (not given.if_done or exists (
        select 1
        from waits
        left join runs as child on child.run_key = waits.child_key
        where waits.run_key = given.run_key and (child.finished_at is not null or waits.woken)
    ) or exists (
        select 1
        from waits
        join messages on messages.run_key = waits.run_key and messages.topic = waits.topic
        where waits.run_key = given.run_key and waits.kind = 'message' and messages.consumed_by is null
    ) or exists (
        select 1
        from waits
        join runs as target on target.id = waits.target
        join events on events.run_key = target.run_key and events.key = waits.topic
        where waits.run_key = given.run_key
    ))
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
