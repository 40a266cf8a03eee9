-- The children of these runs, and with which run they were cancelled or came here paused, if they were.
select run_key, id, status, executor, revoked, queue, steered_with, steered_from
from runs
where parent_key = any($1)
order by run_key
