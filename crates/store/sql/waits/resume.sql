-- Let a run that had paused itself pass the call that paused it. Until that is recorded, the time says that the run was resumed.
update waits
set due_at = $2
where run_key = $1 and kind = 'resume' and due_at is null
