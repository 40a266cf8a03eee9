-- Wake parked runs that wait for this event of this run.
update runs
set ready_at = $3
where executor is null and status = 'running' and recover_at is null and run_key in (
    select waits.run_key
    from runs as target
    join waits on waits.target = target.id and waits.topic = $2
    where target.run_key = $1
)
