-- Find the next deadline of any run.
select min(deadline) as deadline
from runs
where deadline is not null and finished_at is null
    and status in ('delayed', 'enqueued', 'running', 'paused')
