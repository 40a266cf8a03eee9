-- Create a run as a file has it. Nobody has it, and what has not ended is paused.
insert into runs (
    run_key, id, workflow, version, status, said, owners, recoveries_max, created_at, updated_at, started_at,
    finished_at, timeout, deadline, input_hash, identity, attributes, input, output, error
)
values (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
    $12, $13, $14, $15, $16, $17, $18, $19, $20
)
on conflict (id) do nothing
