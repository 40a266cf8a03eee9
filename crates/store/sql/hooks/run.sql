-- Lock the run that holds a token, so that a run that is parking right now either sees what is sent or is seen parked.
select run_key, id, status, executor
from runs
where run_key = $1
for no key update
