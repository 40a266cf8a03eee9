-- Pause a run that has not ended. An owner keeps its row until it lets go; nobody else gets the run before that.
update runs
set status = 'paused', said = $2, error = null, ready_at = null, updated_at = $3, revoked = (executor is not null)
where run_key = $1 and status in ('delayed', 'enqueued', 'running')
