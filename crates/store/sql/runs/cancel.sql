-- Cancel runs that have not ended; where $5 says so, with the run $4 and not for themselves. An owner keeps its row until it lets go;
-- nobody else gets the run before that. One that was to start later keeps that time, for it may be resumed. One that was given up
-- has ended for its parent: it is cancelled by itself alone.
update runs
set status = 'cancelled', said = $2, finished_at = $3, updated_at = $3, revoked = (executor is not null), steered_with = $4,
    steered_from = case when status = 'paused' and $5 then status end,
    held_until = case status when 'delayed' then ready_at when 'paused' then held_until end, ready_at = null
where run_key = any($1) and (
    status in ('delayed', 'enqueued', 'running', 'paused') or (status = 'retries_exceeded' and not $5)
)
returning run_key, parent_key, executor
