-- Start a run that has not begun: it leaves its queue, loses everything that it had there, and may be claimed at once. It
-- gathers no more inputs.
update runs
set ready_at = $2, updated_at = $2, queue = null, priority = 0, partition_key = null, dedup = null, seq = null, gather = null
where run_key = $1 and status in ('delayed', 'enqueued')
