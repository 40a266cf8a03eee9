-- Runs whose deadline has passed, after the deadline $2 and run $3, in the order of deadlines.
select run_key, deadline
from runs
where deadline is not null and finished_at is null and deadline <= $1
    and status in ('delayed', 'enqueued', 'running', 'paused')
    and (deadline, run_key) > ($2, $3)
order by deadline, run_key
limit $4
