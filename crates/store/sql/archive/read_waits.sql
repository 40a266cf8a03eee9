-- The waits of a run, to be written to a file.
select position, kind, name, due_at, child_key, since, topic, target, woken
from waits
where run_key = $1
order by position
