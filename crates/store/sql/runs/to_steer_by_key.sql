-- Lock one of many runs to manage it.
select run_key, id, status, executor, revoked, queue, steered_with, steered_from, paused_with
from runs
where run_key = $1
for no key update
