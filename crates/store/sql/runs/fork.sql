-- Fork a run: create a copy that any executor may claim; if it has a queue, it waits there, at place $11. If $8 is true, it has
-- an input of its own.
insert into runs (
    run_key, id, workflow, version, status, ready_at, recoveries_max, created_at, updated_at, timeout, input_hash,
    identity, attributes, input, forked_from, fork_position, queue, priority, partition_key, seq
)
select
    $2, $3, workflow, coalesce($4, version), 'enqueued', case when queue is null then cast($5 as bigint) end,
    recoveries_max, $5, $5, coalesce($6, timeout), coalesce($7, input_hash), identity, attributes,
    case when $8 then $9 else input end, run_key, $10, queue, priority, partition_key, cast($11 as bigint)
from runs
where run_key = $1
on conflict do nothing
