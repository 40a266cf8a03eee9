-- List runs whose deadline has passed, after deadline $2 and run $3, in the order of deadlines. A child whose parent is overdue
-- too is cancelled with its parent.
select run_key, deadline
from runs
where deadline is not null and finished_at is null and deadline <= $1
    and status in ('delayed', 'enqueued', 'running', 'paused')
    and (deadline, run_key) > ($2, $3)
    and not exists (
        select 1
        from runs as parent
        where parent.run_key = runs.parent_key and parent.finished_at is null and parent.deadline <= runs.deadline
    )
order by deadline, run_key
limit $4
