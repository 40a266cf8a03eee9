-- Count the runs of a queue that one executor has. A run that waits for a child in the same queue on the same executor has lent
-- it its place.
select count(*) as n
from runs
where queue = $1 and (status = 'running' or executor is not null) and executor = $2 and not exists (
    select 1
    from waits
    join runs as child on child.run_key = waits.child_key
    where waits.run_key = runs.run_key and child.queue = $1 and child.executor = $2
)
