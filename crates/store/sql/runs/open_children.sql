-- The children that a cancelled run would leave behind.
select run_key
from runs
where parent_key = any($1) and status in ('delayed', 'enqueued', 'running', 'paused')
order by run_key
