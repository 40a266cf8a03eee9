-- List the children of these runs, and with which run they were cancelled, paused or imported, if any.
select run_key, id, status, executor, revoked, queue, steered_with, steered_from, paused_with
from runs
where parent_key = any($1)
order by run_key
