-- Lock those of these runs that are cancelled, and say with which run. The lock keeps others from resuming them while their
-- children are being cancelled.
select run_key, steered_with
from runs
where run_key = any($1) and status = 'cancelled'
order by run_key
for no key update
