-- Choose waiting runs of a queue whose parent runs in the same queue, waits for them, and has not lent its slot to another
-- child.
-- Runs with slots are few, and waiting runs may be very many: `offset 0` and `is not distinct from`, which cannot use an index,
-- keep the planner from starting with the waiting ones. The first few children of each parent suffice: one of them gets its
-- slot.
select r.run_key, r.partition_key, parent.run_key as parent_key, parent.partition_key as parent_partition,
    parent.executor as parent_executor
from (
    select runs.run_key, runs.partition_key, runs.executor, waits.child_key
    from runs
    join waits on waits.run_key = runs.run_key
    where runs.queue = $1 and (runs.status = 'running' or runs.executor is not null) and runs.status = 'running'
        and waits.child_key is not null and not exists (
            select 1
            from waits as other
            join runs as child on child.run_key = other.child_key
            where other.run_key = runs.run_key and child.queue = $1
                and (child.status = 'running' or child.executor is not null)
        )
    offset 0
) as parent
cross join lateral (
    select runs.run_key, runs.partition_key, runs.priority, runs.seq
    from runs
    where runs.run_key = parent.child_key and runs.status = 'enqueued' and runs.executor is null
        and runs.queue is not distinct from $1 and (runs.workflow || '@' || runs.version) = any($2)
    order by runs.priority, runs.seq
    limit 10
    for no key update skip locked
) as r
order by r.priority, r.seq
limit $3
