-- Wake a run that was just parked if a child that it waits for has ended already, or if somebody ended its sleep.
update runs
set ready_at = $2
where run_key = $1 and executor is null and status = 'running' and exists (
    select 1
    from waits
    left join runs as child on child.run_key = waits.child_key
    where waits.run_key = $1 and (child.finished_at is not null or waits.woken = true)
)
