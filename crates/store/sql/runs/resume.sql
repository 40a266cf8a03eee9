-- Let a run go on from its last checkpoint. A deadline that has passed would end it at once, so it is lifted. One that was to start
-- later still does, and gathers nothing more. One of a queue lines up again, at the place $3; what made it the only one of its kind
-- it gave up when it ended.
update runs
set status = case when coalesce(held_until, ready_at) > $2 then 'delayed' else 'enqueued' end,
    ready_at = case
        when coalesce(held_until, ready_at) > $2 then coalesce(held_until, ready_at)
        when queue is null then cast($2 as bigint)
    end,
    held_until = null, gather = null, steered_with = null, steered_from = null, said = null, error = null,
    finished_at = null, updated_at = $2, recoveries = 0, recovered_seq = null, seq = cast($3 as bigint),
    dedup = case when status = 'paused' then dedup end,
    deadline = case when deadline <= $2 then null else deadline end
where run_key = $1 and status in ('paused', 'cancelled', 'retries_exceeded')
