-- Read what decides whether these runs would change, without locking them.
select run_key, id, status, executor, revoked, queue, steered_with, steered_from, paused_with
from runs
where run_key = any($1)
order by run_key
