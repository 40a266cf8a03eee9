-- Add the holds of runs to their histories. Only of runs that have just left: a run whose row was busy leaves with the next batch,
-- and one that was taken from its owner was stopped by somebody else.
-- The state is compared as an expression: through the index of states, a plan made while there were few runs would read them all.
insert into steerings (run_key, seq, steering)
select held.run_key,
    1 + coalesce((select max(seq) from steerings before where before.run_key = held.run_key), 0), held.steering
from unnest($1::uuid[], $2::bigint[], $3::text[]) as held (run_key, at, steering)
join runs on runs.run_key = held.run_key
where runs.status || '' = 'paused' and runs.executor is null and runs.steered is null and runs.updated_at = held.at
