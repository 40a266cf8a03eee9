-- Count the runs of each workflow that have not ended, by state. The open runs are found by their state first: the planner would
-- otherwise read all runs in the order of their workflows, and history is long.
with open as materialized (
    select workflow, status
    from runs
    where status in ('delayed', 'enqueued', 'running', 'paused') and status <> 'succeeded'
)
select workflow, status, count(*) as runs
from open
group by workflow, status
