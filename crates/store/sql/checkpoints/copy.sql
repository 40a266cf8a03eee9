-- Copy a run's checkpoints to another run, up to completion $3.
insert into checkpoints (run_key, position, seq, kind, name, output, error, started_at, finished_at, notes)
select $2, position, seq, kind, name, output, error, started_at, finished_at, notes
from checkpoints
where run_key = $1 and seq <= $3
