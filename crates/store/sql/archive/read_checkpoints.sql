-- The checkpoints of a run, to be written to a file.
select position, seq, kind, name, output, error, started_at, finished_at
from checkpoints
where run_key = $1
order by seq
