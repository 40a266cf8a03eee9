-- Find up to $2 runs outside of queues that are due and that no executor has.
select run_key
from runs
where executor is null and ready_at is not null and ready_at <= $1
    and (status = 'running' or (queue is null and status in ('enqueued', 'delayed')))
limit $2
