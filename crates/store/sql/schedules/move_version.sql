-- Change the workflow version of a run that has not begun.
update runs
set version = $2, updated_at = $3
where run_key = $1 and started_at is null and executor is null and status in ('delayed', 'enqueued')
