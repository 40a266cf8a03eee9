-- Create a run. If a run with that id exists, or one with that dedup key in its queue, or one that still gathers for that key,
-- keep it and insert nothing: the row count says so.
insert into runs (
    run_key, id, workflow, version, status, executor, ready_at, recoveries_max, parent_key, parent_position,
    created_at, timeout, deadline, input_hash, identity, attributes, input, origin,
    retry, on_parent_end, queue, priority, partition_key, dedup,
    updated_at, started_at, owners, seq, gather, gather_until, gathered, forked_from, fork_position
)
values (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
    $11, $12, $13, $14, $15, $16, $17, $18,
    $19, $20, $21, $22, $23, $24,
    $25, $26, $27, $28, $29, $30, $31, $32, $33
)
on conflict do nothing
