-- Read what an executor needs to know about the runs that it claimed.
select r.run_key, r.executor, r.id, r.workflow, r.version, r.owners, r.recoveries, r.recovered_seq, r.started_at, r.deadline, r.parent_key,
    r.identity, r.first_position, r.retry, r.retrying,
    case
        when r.first_position > 0 then exists (
            select 1
            from runs as child
            where child.on_parent_end = 'wait' and child.parent_key = r.run_key and child.finished_at is null
        )
        else false
    end as awaits_children,
    (
        select name
        from queues q
        where q.name = r.queue and coalesce(q.concurrency, q.per_executor, q.partition_concurrency) is not null
    ) as slot,
    coalesce(r.input, (select body from payloads where run_key = r.run_key and kind = 'input')) as input
from runs r
where r.run_key = any($1)
order by r.run_key
