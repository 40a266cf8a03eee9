-- Find the parent of a run, if it has one.
select parent_key
from runs
where run_key = $1 and parent_key is not null
