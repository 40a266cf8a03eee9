-- The events of a run, to be written to a file.
select key, value, updated_at
from events
where run_key = $1
order by key
