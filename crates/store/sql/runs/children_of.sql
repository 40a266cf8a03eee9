-- List the children of a run, and the position at which each was started.
select id, parent_position
from runs
where parent_key = $1
order by run_key
