-- Runs whose deadline has passed.
select run_key, deadline
from runs
where deadline is not null and finished_at is null and deadline <= $1
    and status in ('delayed', 'enqueued', 'running', 'paused')
order by deadline
limit $2
for no key update skip locked
