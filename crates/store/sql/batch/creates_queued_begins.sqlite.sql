-- The queue, if a run that is created for it may begin at once: it has no limits, is not paused, and nobody waits in it.
select name
from queues
where name = $1 and not paused and concurrency is null and per_executor is null and rate_count is null
    and partition_concurrency is null and partition_rate_count is null
    and not exists (select 1 from runs where runs.queue = queues.name and runs.status = 'enqueued')
