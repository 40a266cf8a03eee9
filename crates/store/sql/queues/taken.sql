-- Count the used slots of a queue, up to $2. A run that waits for a running child in the same queue has lent it its slot, so
-- the two count once.
select count(*) as n
from (
    select 1
    from runs
    where queue = $1 and (status = 'running' or executor is not null) and not exists (
        select 1
        from waits
        join runs as child on child.run_key = waits.child_key
        where waits.run_key = runs.run_key and child.queue = $1
            and (child.status = 'running' or child.executor is not null)
    )
    limit $2
) as taken
