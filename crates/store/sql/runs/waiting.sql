-- Whether runs of the workflows in $2 may be claimed, whether one of more than $3 recoveries may, and when the next one will.
select
    exists (
        select 1
        from runs
        where executor is null and ready_at is not null and ready_at <= $1
            and (status = 'running' or (queue is null and status in ('enqueued', 'delayed')))
            and (queue is null or not exists (select 1 from queues where name = runs.queue and per_executor is not null))
            and (workflow || '@' || version) = any($2)
            and recoveries <= $3
    ) as is_ready,
    exists (
        select 1
        from runs
        where executor is null and ready_at is not null and ready_at <= $1
            and (status = 'running' or (queue is null and status in ('enqueued', 'delayed')))
            and (queue is null or not exists (select 1 from queues where name = runs.queue and per_executor is not null))
            and (workflow || '@' || version) = any($2)
            and recoveries > $3
    ) as is_suspect,
    (
        select min(ready_at)
        from runs
        where executor is null and ready_at is not null and ready_at > $1 and (workflow || '@' || version) = any($2)
    ) as next
