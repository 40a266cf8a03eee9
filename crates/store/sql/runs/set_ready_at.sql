-- Reschedule a delayed run.
update runs
set ready_at = $2, updated_at = $3
where run_key = $1 and status = 'delayed'
