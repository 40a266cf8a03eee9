-- Lock the children of these runs, which would be deleted with them, and read the state of each.
select run_key, id, status, executor, revoked, queue, steered_with, steered_from, paused_with
from runs
where parent_key = any($1)
order by run_key
for no key update
