-- Choose waiting runs of a queue whose parent runs in the same queue, waits for them, and has not lent its slot to another
-- child.
-- SQLite keeps the order of a `cross join`: runs with slots are few, and waiting runs may be very many.
select r.run_key, r.partition_key, parent.run_key as parent_key, parent.partition_key as parent_partition,
    parent.executor as parent_executor
from runs as parent
cross join waits
cross join runs as r
where parent.queue = $1 and (parent.status = 'running' or parent.executor is not null) and parent.status = 'running'
    and waits.run_key = parent.run_key and r.run_key = waits.child_key
    and r.queue = $1 and r.status = 'enqueued' and r.executor is null and (r.workflow || '@' || r.version) = any($2)
    and not exists (
        select 1
        from waits as other
        join runs as child on child.run_key = other.child_key
        where other.run_key = parent.run_key and child.queue = $1
            and (child.status = 'running' or child.executor is not null)
    )
order by r.priority, r.seq
limit $3
