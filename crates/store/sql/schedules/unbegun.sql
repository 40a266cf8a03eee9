-- Read the workflow and the version of a schedule's run that has not begun.
select workflow, version
from runs
where run_key = $1 and started_at is null and executor is null and status in ('delayed', 'enqueued')
