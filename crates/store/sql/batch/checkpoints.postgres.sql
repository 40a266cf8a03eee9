-- Record the results of durable calls. A position keeps its first record: a second insert is an error.
insert into checkpoints (run_key, position, seq, kind, name, output, error, started_at, finished_at, notes)
select run_key, position, seq, kind, name, output, error, started_at, finished_at, notes
from unnest(
    $1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[],
    $10::text[]
) as new (run_key, position, seq, kind, name, output, error, started_at, finished_at, notes)
where run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
