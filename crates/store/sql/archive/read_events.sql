-- Read the events of a run for export.
select key, value, updated_at
from events
where run_key = $1
order by key
