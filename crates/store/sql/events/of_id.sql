-- The run that has an id, and the latest value of an event of it.
select runs.run_key, events.value
from runs
left join events on events.run_key = runs.run_key and events.key = $2
where runs.id = $1
