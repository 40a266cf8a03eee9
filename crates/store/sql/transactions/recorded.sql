-- Find what was recorded at a position, if anything.
select seq
from checkpoints
where run_key = $1 and position = $2
