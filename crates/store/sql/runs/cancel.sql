-- Cancel runs that have not ended, along with run $4 if $5 is true and on their own otherwise. A run with an owner stays owned
-- until the owner releases it; no other executor gets it before that. A delayed run keeps its start time, because it may be
-- resumed. A run that was given up has ended as far as its parent is concerned: it can only be cancelled on its own.
update runs
set status = 'cancelled', said = $2, finished_at = $3, updated_at = $3, revoked = (executor is not null), steered_with = $4,
    steered_from = case when status = 'paused' and $5 then status end, steered = $6,
    held_until = case status when 'delayed' then ready_at when 'paused' then held_until end, ready_at = null
where run_key = any($1) and (
    status in ('delayed', 'enqueued', 'running', 'paused') or (status = 'retries_exceeded' and not $5)
)
returning run_key, parent_key, executor
