-- Waiting runs of a queue whose parent runs in the same queue, waits for them, and has lent its slot to no other child yet.
-- Those that have slots are few, and those that wait may be very many: `offset 0` keeps the planner from beginning with them.
select r.run_key, r.partition_key, parent.run_key as parent_key, parent.partition_key as parent_partition,
    parent.executor as parent_executor
from (
    select runs.run_key, runs.partition_key, runs.executor, waits.child_key
    from runs
    join waits on waits.run_key = runs.run_key
    where runs.queue = $1 and (runs.status = 'running' or runs.executor is not null) and runs.status = 'running'
        and waits.child_key is not null
    offset 0
) as parent
cross join lateral (
    select runs.run_key, runs.partition_key, runs.priority, runs.seq, runs.queue, runs.workflow, runs.version
    from runs
    where runs.run_key = parent.child_key and runs.status = 'enqueued' and runs.executor is null
    offset 0
    for no key update skip locked
) as r
where r.queue = $1 and (r.workflow || '@' || r.version) = any($2)
    and not exists (
        select 1
        from waits as other
        join runs as child on child.run_key = other.child_key
        where other.run_key = parent.run_key and child.queue = $1
            and (child.status = 'running' or child.executor is not null)
    )
order by r.priority, r.seq
limit $3
