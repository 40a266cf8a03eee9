-- Read the position of the first call in the current generation of a run; null in the first generation.
select first_position
from runs
where run_key = $1
