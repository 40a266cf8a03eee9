-- The children of a run, and where each was started.
select id, parent_position
from runs
where parent_key = $1
order by run_key
