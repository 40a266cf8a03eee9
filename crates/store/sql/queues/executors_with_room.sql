-- Count the live executors that have fewer than $2 runs of a queue.
select count(*) as n
from executors
where not dead and (
    select count(*)
    from runs
    where queue = $1 and (status = 'running' or runs.executor is not null) and runs.executor = executors.executor
) < $2
