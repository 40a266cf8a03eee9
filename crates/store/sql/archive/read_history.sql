-- The values that events had of a run, to be written to a file.
select position, key, value, set_at
from event_history
where run_key = $1
order by position
