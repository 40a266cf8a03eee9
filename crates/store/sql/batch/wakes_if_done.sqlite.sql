-- Wake a run that was just parked if what it waits for has already happened: its child has ended, its message or event has
-- arrived, or its sleep was ended early.
update runs
set ready_at = $2
where run_key = $1 and executor is null and status = 'running' and recover_at is null and (exists (
    select 1
    from waits
    left join runs as child on child.run_key = waits.child_key
    where waits.run_key = $1 and (child.finished_at is not null or waits.woken = true)
) or exists (
    select 1
    from waits
    join messages on messages.run_key = waits.run_key and messages.topic = waits.topic
    where waits.run_key = $1 and waits.kind in ('message', 'person') and messages.consumed_by is null
        and messages.refused is null
) or exists (
    select 1
    from waits
    join runs as target on target.id = waits.target
    join events on events.run_key = target.run_key and events.key = waits.topic
    where waits.run_key = $1
))
