-- Cancel runs that have not ended. An owner keeps its row until it lets go; nobody else gets the run before that.
update runs
set status = 'cancelled', said = $2, finished_at = $3, updated_at = $3, ready_at = null, revoked = (executor is not null)
where run_key = any($1) and status in ('delayed', 'enqueued', 'running', 'paused', 'retries_exceeded')
returning run_key, parent_key, executor
