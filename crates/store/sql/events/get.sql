-- The latest value of an event.
select value
from events
where run_key = $1 and key = $2
