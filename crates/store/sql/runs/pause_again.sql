-- A run that was paused when it was cancelled with another one comes back as it was. What made it the only one of its kind it gave
-- up when it ended.
update runs
set status = 'paused', said = $3, finished_at = null, updated_at = $2, steered_with = null, steered_from = null, dedup = null
where run_key = $1 and status = 'cancelled'
