-- The facts that are attached to a run.
select attributes
from runs
where run_key = $1
