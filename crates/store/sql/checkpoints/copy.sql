-- Give a run what another one had recorded up to a point in the order of completions.
insert into checkpoints (run_key, position, seq, kind, name, output, error, started_at, finished_at)
select $2, position, seq, kind, name, output, error, started_at, finished_at
from checkpoints
where run_key = $1 and seq <= $3
