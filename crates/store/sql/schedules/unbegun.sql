-- A run of a schedule that waits for its start, and the version that it waits for.
select workflow, version
from runs
where run_key = $1 and started_at is null and executor is null and status in ('delayed', 'enqueued')
