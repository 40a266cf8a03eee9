-- Wake parked runs that wait for an event that this run has from its creation on.
update runs
set ready_at = $2
where executor is null and status = 'running' and recover_at is null and run_key in (
    select waits.run_key
    from runs as target
    join events on events.run_key = target.run_key
    join waits on waits.target = target.id and waits.topic = events.key
    where target.run_key = $1
)
