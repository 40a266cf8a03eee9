-- Pause a run that has not ended. An owner keeps its row until it lets go; nobody else gets the run before that. One that was to
-- start later keeps that time.
update runs
set status = 'paused', said = $2, error = null, held_until = case when status = 'delayed' then ready_at end, ready_at = null,
    steered_with = null, steered_from = null, updated_at = $3, revoked = (executor is not null)
where run_key = $1 and status in ('delayed', 'enqueued', 'running')
