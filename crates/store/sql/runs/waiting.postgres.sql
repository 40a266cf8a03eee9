-- Check whether runs of the workflow versions in $2 may be claimed, whether a run that is recovered alone may be, and when the
-- next run is ready.
-- Each workflow version is looked up by itself, so that runs that no executor here can execute cost nothing, however many wait.
select
    exists (
        select 1
        from unnest($2::text[]) as known (workflow)
        where (
            select 1
            from runs
            where (runs.workflow || '@' || runs.version) = known.workflow
                and executor is null and ready_at is not null and ready_at <= $1
                and (status = 'running' or (queue is null and status in ('enqueued', 'delayed')))
                and (queue is null or not exists (select 1 from queues where name = runs.queue and per_executor is not null))
                and recoveries <= 2
            order by ready_at
            limit 1
        ) is not null
    ) as is_ready,
    exists (
        select 1
        from runs
        where executor is null and ready_at is not null and ready_at <= $1 and recoveries > 2
            and (status = 'running' or (queue is null and status in ('enqueued', 'delayed')))
            and (queue is null or not exists (select 1 from queues where name = runs.queue and per_executor is not null))
            and (workflow || '@' || version) = any($2)
    ) as is_suspect,
    (
        select min((
            select ready_at
            from runs
            where (runs.workflow || '@' || runs.version) = known.workflow
                and executor is null and ready_at is not null and ready_at > $1
            order by ready_at
            limit 1
        ))
        from unnest($2::text[]) as known (workflow)
    ) as next
