-- Choose up to $3 claimable runs of one workflow version with $4 to $5 recoveries, the longest ready first.
-- Runs that wait in a queue are claimed from the queue, as are woken runs of a queue with a limit per executor.
-- Among suspects, a run that would be given up after one more crash comes alone: otherwise another run could cause that crash.
-- Claimers run concurrently: rows that another has locked are skipped.
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
