-- Resume a run from its last checkpoint. A deadline that has passed is removed, because it would end the run at once. A delayed
-- run is still delayed, but gathers no more inputs. A run with a queue waits in it again, at place $3. A dedup key that it gave
-- up when it ended is not restored.
update runs
set status = case when coalesce(held_until, ready_at) > $2 then 'delayed' else 'enqueued' end,
    ready_at = case
        when coalesce(held_until, ready_at) > $2 then coalesce(held_until, ready_at)
        when queue is null then cast($2 as bigint)
    end,
    held_until = null, gather = null, steered_with = null, steered_from = null, steered = null, paused_with = null,
    said = null, error = null, error_code = null,
    finished_at = null, updated_at = $2, recoveries = 0, recovered_seq = null, seq = cast($3 as bigint),
    dedup = case when status = 'paused' then dedup end,
    deadline = case when deadline <= $2 then null else deadline end
where run_key = $1 and status in ('paused', 'cancelled', 'retries_exceeded')
