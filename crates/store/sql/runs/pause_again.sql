-- Return a run that was paused when it was cancelled with another one to that state. It gave up its dedup key when it ended.
update runs
set status = 'paused', said = $3, finished_at = null, updated_at = $2, steered_with = null, steered_from = null, dedup = null,
    steered = $4
where run_key = $1 and status = 'cancelled'
