-- Lock those of these runs that are still to be cancelled because of the end of their parent: see runs/outlived.sql. A parent that
-- may be resumed brings its children back.
select r.run_key, r.id, parent.id as parent_id,
    case when parent.status in ('cancelled', 'retries_exceeded') then parent.run_key end as with_key,
    parent.finished_at is null as failed
from runs as r
join runs as parent on parent.run_key = r.parent_key
where r.run_key = any($1) and r.on_parent_end = 'cancel' and r.finished_at is null and (
    parent.finished_at is not null or (parent.retrying is not null and r.parent_position < parent.first_position)
)
order by r.run_key
for no key update of r
