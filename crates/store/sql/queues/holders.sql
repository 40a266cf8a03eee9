-- List up to $3 runs that hold slots of a queue, oldest first; only those of partition $2 if it is given. A run that waits for a
-- running child there has lent it its slot.
select id
from runs
where queue = $1 and (status = 'running' or executor is not null)
    and (cast($2 as text) is null or partition_key = $2) and not exists (
    select 1
    from waits
    join runs as child on child.run_key = waits.child_key
    where waits.run_key = runs.run_key and child.queue = $1
        and (cast($2 as text) is null or child.partition_key = $2)
        and (child.status = 'running' or child.executor is not null)
)
order by run_key
limit $3
