-- List the queues from which an executor of the workflow versions in $1 may have something to claim: waiting runs or, if the
-- queue has a limit per executor, woken runs. Only queue $3 if it is given. Looks for the first run of each queue: a plan that
-- collects all waiting runs would be slow where they are many.
select name, concurrency, per_executor, rate_count, rate_period, partition_concurrency, partition_rate_count,
    partition_rate_period, paused, served, created_at, updated_at
from queues
where name = coalesce($3, name) and ((not paused and (
    select 1
    from runs
    where runs.queue = queues.name and runs.status = 'enqueued' and runs.executor is null
        and (runs.workflow || '@' || runs.version) = any($1)
    order by runs.priority, runs.seq
    limit 1
) is not null) or (per_executor is not null and (
    select 1
    from runs
    where runs.queue = queues.name and (runs.status = 'running' or runs.executor is not null)
        and runs.status = 'running' and runs.executor is null and runs.ready_at <= $2
        and (runs.workflow || '@' || runs.version) = any($1)
    limit 1
) is not null))
order by name
