-- List the waits of these runs.
select w.run_key, w.position, w.kind, w.name, w.due_at, w.child_key, w.topic, w.target, w.since, child.id as child_id
from waits w
left join runs as child on child.run_key = w.child_key
where w.run_key = any($1)
order by w.run_key, w.position
