-- Create a run. A run of that id, of that dedup in its queue, or that gathers for that key, which is there already, stays, and
-- the caller is told of it.
insert into runs (
    run_key, id, workflow, version, status, executor, ready_at, recoveries_max, parent_key, parent_position,
    created_at, timeout, deadline, input_hash, identity, attributes, input,
    queue, priority, partition_key, dedup,
    updated_at, started_at, owners, seq, gather, gather_until, gathered, forked_from, fork_position
)
values (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
    $11, $12, $13, $14, $15, $16, $17,
    $18, $19, $20, $21,
    $22, $23, $24, $25, $26, $27, $28, $29, $30
)
on conflict do nothing
