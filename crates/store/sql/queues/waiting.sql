-- The queues from which an executor of the workflows in $1 may have something to take: runs that wait for their start, or,
-- where an executor may have so many only, runs that were woken; only the queue $3, if it is given. Of each queue the first run is looked for: a plan that
-- gathered all that wait would take long where they are many.
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
