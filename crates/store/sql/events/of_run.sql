-- List the events of a run.
select key, value, updated_at
from events
where run_key = $1
order by key
