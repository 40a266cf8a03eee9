-- Wake parked runs that wait for an event that this batch set. Rows that another session has locked are skipped; the sweep in
-- runs/wake_missed.sql makes up for that.
-- Each step looks up rows of the previous one by key: `offset 0` keeps a plan that was made while the tables were empty from
-- scanning all parked runs.
with watching as materialized (
    select waiting.run_key, given.at
    from unnest($1::uuid[], $2::text[], $3::bigint[]) as given (run_key, key, at)
    cross join lateral (
        select waits.run_key
        from waits
        where waits.target = (select id from runs where runs.run_key = given.run_key) and waits.topic = given.key
        offset 0
    ) as waiting
    where given.run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
),
parked as materialized (
    select held.run_key, watching.at
    from watching
    cross join lateral (
        select runs.run_key
        from runs
        where runs.run_key = watching.run_key and runs.executor is null and runs.status = 'running'
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
