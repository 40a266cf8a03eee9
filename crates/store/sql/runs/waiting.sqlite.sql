-- Check whether runs of the workflow versions in $2 may be claimed, whether a run that is recovered alone may be, and when the
-- next run is ready.
-- Each workflow version is looked up by itself, so that runs that no executor here can execute cost nothing, however many wait.
-- Differs from PostgreSQL: a list is another table, and the `+` keeps the planner from finding suspects by workflow.
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
