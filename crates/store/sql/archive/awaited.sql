-- List the runs whose end these runs wait for, including runs that they did not start.
select target.run_key
from waits
join runs as target on target.run_key = waits.child_key
join runs as waiting on waiting.run_key = waits.run_key
where waits.run_key = any($1) and waiting.status not in ('succeeded', 'failed')
order by target.run_key
