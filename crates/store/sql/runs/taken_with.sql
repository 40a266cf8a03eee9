-- Lock the runs that were cancelled, paused or imported with one of these runs: they are resumed with it.
select run_key, id, status, executor, revoked, queue, steered_with, steered_from, paused_with
from runs
where (steered_with = any($1) and status in ('cancelled', 'paused')) or (paused_with = any($1) and status = 'paused')
order by run_key
for no key update
