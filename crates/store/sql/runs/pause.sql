-- Pause runs that have not ended, along with run $4 if there is one. A run with an owner stays owned until the owner releases
-- it; no other executor gets it before that. A delayed run keeps its start time.
update runs
set status = 'paused', said = $2, error = null, error_code = null, held_until = case when status = 'delayed' then ready_at end,
    ready_at = null, steered_with = null, steered_from = null, steered = $5, paused_with = $4, updated_at = $3,
    revoked = (executor is not null)
where run_key = any($1) and status in ('delayed', 'enqueued', 'running')
returning run_key, executor, queue
