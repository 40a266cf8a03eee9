-- Let a run go on from its last checkpoint. A deadline that has passed would end it at once, so it is lifted.
update runs
set status = 'enqueued', ready_at = $2, said = null, error = null, finished_at = null, updated_at = $2,
    recoveries = 0, recovered_seq = null, deadline = case when deadline <= $2 then null else deadline end
where run_key = $1 and status in ('paused', 'cancelled', 'retries_exceeded')
