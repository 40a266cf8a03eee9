-- Read the waits of these runs, to execute them.
select run_key, position, kind, due_at, child_key, topic, target, since
from waits
where run_key = any($1)
order by run_key, position
