-- Find parked runs whose wake-up was missed: their child has ended or does not exist, they have a message or an event that they
-- wait for, or their sleep was ended early. SQLite keeps the order of a `cross join`: unconsumed messages are fewer than waits.
select run_key
from runs
where executor is null and status = 'running' and recover_at is null and (ready_at is null or ready_at > $1) and run_key in (
    select waits.run_key
    from waits
    left join runs as child on child.run_key = waits.child_key
    where waits.child_key is not null and (child.run_key is null or child.finished_at is not null)
    union all
    select run_key
    from waits
    where woken = true
    union all
    select waits.run_key
    from messages
    cross join waits
    where messages.consumed_by is null and messages.refused is null and waits.run_key = messages.run_key
        and waits.topic = messages.topic and waits.kind in ('message', 'person')
    union all
    select waits.run_key
    from waits
    join runs as target on target.id = waits.target
    join events on events.run_key = target.run_key and events.key = waits.topic
    where waits.target is not null
)
limit 1000
