-- Wake parked runs that wait for a message that exists and was not refused. Execute it after the messages were written, while
-- the runs are locked.
update runs
set ready_at = $2
where run_key = any($1) and executor is null and status = 'running' and recover_at is null
    and (ready_at is null or ready_at > $2) and exists (
    select 1
    from waits
    join messages on messages.run_key = waits.run_key and messages.topic = waits.topic
    where waits.run_key = runs.run_key and waits.kind in ('message', 'person') and messages.consumed_by is null
        and messages.refused is null
)
