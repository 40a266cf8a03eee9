-- Read the checkpoints of these runs, each run's in the order of completion.
select run_key, position, seq, kind, name, output, error
from checkpoints
where run_key = any($1)
order by run_key, seq
