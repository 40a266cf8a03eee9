-- Keep the latest values of the events of a run whose next generation begins, for its forks.
insert into event_history (run_key, position, key, value, set_at)
select run_key, $2, key, value, updated_at
from events
where run_key = $1
