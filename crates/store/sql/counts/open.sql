-- Count the runs that have not ended, by workflow and state. The states are named as in the index.
select workflow, status, count(*) as runs
from runs
where status in ('delayed', 'enqueued', 'running', 'paused') and status <> 'succeeded'
group by workflow, status
