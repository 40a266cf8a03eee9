-- Record the results of steps.
insert into checkpoints (run_key, position, seq, kind, name, output, started_at, finished_at)
select run_key, position, seq, 'step', name, output, at, at
from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[])
    as new (run_key, position, seq, name, output, at)
