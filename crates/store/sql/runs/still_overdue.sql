-- Lock those of the runs in $2 whose deadline has passed and that have not ended since. If a child was being created while its
-- parent was cancelled, `with_key` is the root of that cancellation: the parent, or the run that the parent was cancelled with.
select run_key, deadline, (
        select coalesce(parent.steered_with, parent.run_key)
        from runs as parent
        where parent.run_key = runs.parent_key and parent.status = 'cancelled' and parent.deadline <= runs.deadline
    ) as with_key
from runs
where run_key = any($2) and deadline is not null and finished_at is null and deadline <= $1
    and status in ('delayed', 'enqueued', 'running', 'paused')
order by run_key
for no key update
