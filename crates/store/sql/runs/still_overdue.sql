-- Lock those of the runs in $2 whose deadline has passed and that have not ended since. If a child was being created while its
-- parent was cancelled, `with_key` is the root of that cancellation: the parent, or the run that the parent was cancelled with.
select r.run_key, r.id, r.deadline, coalesce(parent.steered_with, parent.run_key) as with_key, parent.id as parent_id,
    parent.steered as parent_steered
from runs r
left join runs as parent
    on parent.run_key = r.parent_key and parent.status = 'cancelled' and parent.deadline <= r.deadline
        and coalesce(r.on_parent_end, '') <> 'leave'
where r.run_key = any($2) and r.deadline is not null and r.finished_at is null and r.deadline <= $1
    and r.status in ('delayed', 'enqueued', 'running', 'paused')
order by r.run_key
for no key update of r
