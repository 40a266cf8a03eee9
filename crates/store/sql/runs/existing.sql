-- Find the run with this id.
select run_key, id, workflow, input_hash, parent_key, parent_position
from runs
where id = $1
