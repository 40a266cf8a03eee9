-- Read the recorded result of a call, if there is one.
select output, error
from checkpoints
where run_key = $1 and position = $2
