-- Lock the runs that messages are sent to, so that a run that is parking right now either sees the message or is seen parked.
select run_key, id, status, executor
from runs
where id = any($1)
order by run_key
for no key update
