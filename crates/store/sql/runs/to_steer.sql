-- Lock a run to manage it.
select run_key, id, status, executor, revoked, queue, steered_with, steered_from, paused_with
from runs
where id = $1
for no key update
