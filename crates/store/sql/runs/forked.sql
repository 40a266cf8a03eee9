-- Find the run with this id, and what it was forked from.
select run_key, workflow, input_hash, forked_from, fork_position
from runs
where id = $1
