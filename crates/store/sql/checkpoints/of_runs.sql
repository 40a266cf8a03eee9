-- What runs have recorded, each in the order of its completions.
select run_key, position, seq, kind, name, output, error
from checkpoints
where run_key = any($1)
order by run_key, seq
