-- Read the checkpoints of a run for export.
select position, seq, kind, name, output, error, started_at, finished_at, notes
from checkpoints
where run_key = $1
order by seq
