-- Those of the runs in $2 whose deadline has passed and that nobody has cancelled or ended since.
select run_key, deadline
from runs
where run_key = any($2) and deadline is not null and finished_at is null and deadline <= $1
    and status in ('delayed', 'enqueued', 'running', 'paused')
order by run_key
for no key update
