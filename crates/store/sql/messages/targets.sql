-- The runs that messages are for. Locked, so that a run that is just being parked either sees the message or is seen parked.
select run_key, id, status, executor
from runs
where id = any($1)
order by run_key
for no key update
