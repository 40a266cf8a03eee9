-- Take up to $3 waiting runs for an executor, of the workflows in $4 and with recoveries from $5 to $6. The longest ready first.
-- Runs that wait in a queue are taken from there, and so are woken ones where an executor may have so many only.
-- Many may claim at once: a row that another has locked is stepped over. The choice is made once, before the update: a
-- plan that joined the two could choose, and lock, anew for each row.
with chosen as materialized (
    select run_key
    from runs
    where executor is null and ready_at is not null and ready_at <= $2
        and (status = 'running' or (queue is null and status in ('enqueued', 'delayed')))
        and (queue is null or not exists (select 1 from queues where name = runs.queue and per_executor is not null))
        and (workflow || '@' || version) = any($4)
        and recoveries between $5 and $6
        and exists (select 1 from executors where executor = $1 and not dead)
    order by ready_at, run_key
    limit $3
    for no key update skip locked
)
update runs
set status = 'running', executor = $1, owners = owners + 1, ready_at = null, said = null, updated_at = $2,
    started_at = coalesce(started_at, $2), deadline = coalesce(deadline, $2 + timeout)
where run_key in (select run_key from chosen)
returning run_key
