-- Create runs without a queue. Returns those that were created; for each of the others a run with that id already exists.
insert into runs (
    run_key, id, workflow, version, status, executor, ready_at, recoveries_max, parent_key, parent_position,
    created_at, timeout, deadline, input_hash, identity, attributes, input, origin,
    retry, on_parent_end, updated_at, started_at, owners
)
select
    run_key, id, workflow, version, status, executor, ready_at, recoveries_max, parent_key, parent_position,
    created_at, timeout, deadline, input_hash, identity, attributes, input, origin,
    retry, on_parent_end, created_at, case when executor is null then null else created_at end, case when executor is null then 0 else 1 end
from unnest(
    $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[],
    $10::uuid[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::text[], $17::text[],
    $18::text[], $19::text[], $20::text[], $21::text[]
) as new (
    by, run_key, id, workflow, version, status, executor, ready_at, recoveries_max,
    parent_key, parent_position, created_at, timeout, deadline, input_hash, identity, attributes,
    input, origin, retry, on_parent_end
)
where by <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
on conflict do nothing
returning run_key
