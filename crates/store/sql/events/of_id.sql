-- Find the run with this id, and the latest value of one of its events.
select runs.run_key, events.value
from runs
left join events on events.run_key = runs.run_key and events.key = $2
where runs.id = $1
