-- Those of these runs that are cancelled, and with which run. They are locked: nobody resumes them while their children are cancelled.
select run_key, steered_with
from runs
where run_key = any($1) and status = 'cancelled'
order by run_key
for no key update
