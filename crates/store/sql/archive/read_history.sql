-- Read all values of a run's events for export.
select position, key, value, set_at
from event_history
where run_key = $1
order by position
