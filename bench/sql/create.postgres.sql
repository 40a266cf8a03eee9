-- Create runs that an executor has from the first moment.
insert into runs (
    run_key, id, workflow, version, status, executor, recoveries_max, created_at, updated_at, started_at, owners,
    input_hash, input
)
select run_key, id, workflow, '1', 'running', executor, 100, at, at, at, 1, input_hash, input
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[])
    as new (run_key, id, workflow, executor, at, input_hash, input)
