-- Read the attributes of a run.
select attributes
from runs
where run_key = $1
