-- Up to $3 runs of one workflow and version that may be claimed, with recoveries from $4 to $5. The longest ready first.
-- Runs that wait in a queue are taken from there, and so are woken ones where an executor may have so many only.
-- Of suspects, one that would be given up at the next crash comes alone: it could be another one that crashes.
-- Many may claim at once: a row that another has locked is stepped over.
select run_key, ready_at
from runs
where (workflow || '@' || version) = $1 and executor is null and ready_at is not null and ready_at <= $2
    and (status = 'running' or (queue is null and status in ('enqueued', 'delayed')))
    and (queue is null or not exists (select 1 from queues where name = runs.queue and per_executor is not null))
    and recoveries between $4 and $5
    and ($4 = 0 or $3 = 1 or recoveries < recoveries_max)
order by ready_at, run_key
limit $3
for no key update skip locked
