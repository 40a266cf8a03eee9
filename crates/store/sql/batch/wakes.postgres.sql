-- Wake parked runs: the parents of runs that ended and, where `if_done` is set, runs that were parked just now although their
-- child has already ended, their message or event has already arrived, or their sleep was ended early. The waiter checks last:
-- an earlier statement wrote its row, so this one sees everything it must.
-- Rows that another session has locked are skipped; the sweep in runs/wake_missed.sql makes up for that.
-- Each step looks up rows by key: `offset 0` keeps a plan that was made while the tables were empty from scanning all parked
-- runs, or all messages and events.
with wanted as materialized (
    select given.run_key, given.at
    from unnest($1::uuid[], $2::bigint[], $3::boolean[]) as given (run_key, at, if_done)
    where not given.if_done or exists (
        select 1
        from waits
        where waits.run_key = given.run_key and (
            waits.woken
            or (select child.finished_at from runs as child where child.run_key = waits.child_key) is not null
            or (waits.kind in ('message', 'person') and exists (
                select 1
                from messages
                where messages.run_key = waits.run_key and messages.topic = waits.topic and messages.consumed_by is null
                    and messages.refused is null
                offset 0
            ))
            or (waits.kind = 'event' and exists (
                select 1
                from events
                where events.run_key = (select target.run_key from runs as target where target.id = waits.target)
                    and events.key = waits.topic
                offset 0
            ))
        )
        offset 0
    )
),
parked as materialized (
    select held.run_key, wanted.at
    from wanted
    cross join lateral (
        select runs.run_key
        from runs
        where runs.run_key = wanted.run_key and runs.executor is null and runs.status = 'running'
            and runs.recover_at is null
        for no key update skip locked
    ) as held
),
woken as (
    update runs
    set ready_at = parked.at
    from parked
    where runs.run_key = parked.run_key
    returning runs.run_key
)
select true as woke
where exists (select 1 from woken)
