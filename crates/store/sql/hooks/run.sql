-- The run that has a token. Locked, so that one that is just being parked either sees what is sent or is seen parked.
select run_key, id, status, executor
from runs
where run_key = $1
for no key update
