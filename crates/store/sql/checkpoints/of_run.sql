-- What one run has recorded, in the order of its calls.
select position, kind, name, output, error, started_at, finished_at
from checkpoints
where run_key = $1
order by position
