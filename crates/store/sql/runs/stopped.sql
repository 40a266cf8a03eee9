-- Lock those of these runs that are cancelled or paused with their descendants, and say with which run and by whom. The lock
-- keeps others from resuming them while their children are being stopped as well.
select run_key, id, status, steered_with, paused_with, steered
from runs
where run_key = any($1) and (status = 'cancelled' or (status = 'paused' and paused_with is not null))
order by run_key
for no key update
