-- Whether runs of the workflows in $2 may be claimed, whether one may that is recovered alone, and when the next one will.
-- Each workflow is looked up by itself, so that what nobody here knows costs nothing, however much of it waits.
-- Differs from PostgreSQL: a list is another table, and the `+` keeps the planner from looking for suspects by workflow.
select
    exists (
        select 1
        from rarray($2) as known
        where exists (
            select 1
            from runs
            where (runs.workflow || '@' || runs.version) = known.value
                and executor is null and ready_at is not null and ready_at <= $1
                and (status = 'running' or (queue is null and status in ('enqueued', 'delayed')))
                and (queue is null or not exists (select 1 from queues where name = runs.queue and per_executor is not null))
                and recoveries <= 2
        )
    ) as is_ready,
    exists (
        select 1
        from runs
        where executor is null and ready_at is not null and ready_at <= $1 and recoveries > 2
            and (status = 'running' or (queue is null and status in ('enqueued', 'delayed')))
            and (queue is null or not exists (select 1 from queues where name = runs.queue and per_executor is not null))
            and +(workflow || '@' || version) = any($2)
    ) as is_suspect,
    (
        select min((
            select min(ready_at)
            from runs
            where (runs.workflow || '@' || runs.version) = known.value
                and executor is null and ready_at is not null and ready_at > $1
        ))
        from rarray($2) as known
    ) as next
