-- Read what a run recorded when it started a child.
select output
from checkpoints
where run_key = $1 and position = $2 and kind = 'start' and output is not null
