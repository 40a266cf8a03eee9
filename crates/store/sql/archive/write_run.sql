-- Import a run. It has no owner, and a run that has not ended is paused. If a run with that id exists, or an open one with that
-- dedup key in its queue, keep it and insert nothing: the row count says so.
insert into runs (
    run_key, id, workflow, version, status, said, owners, recoveries_max, created_at, updated_at, started_at,
    finished_at, timeout, deadline, input_hash, identity, attributes, input, output, error,
    queue, priority, partition_key, dedup, held_until, origin_key, parent_key, parent_position, steered_with, steered_from,
    generation, first_position, steered, paused_with, retry, retrying, on_parent_end, error_code, origin
)
values (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
    $12, $13, $14, $15, $16, $17, $18, $19, $20,
    $21, coalesce(cast($22 as bigint), 0), $23, $24, $25, $26, $27, $28, $29, $30,
    $31, $32, $33, $34, $35, $36, $37, $38, 'imported'
)
on conflict do nothing
