-- Read the waits of a run for export.
select position, kind, name, due_at, child_key, since, topic, target, woken
from waits
where run_key = $1
order by position
