-- Find the open run of a queue that has this dedup key.
select run_key, id, workflow, input_hash, parent_key, parent_position
from runs
where queue = $1 and dedup = $2 and status in ('delayed', 'enqueued', 'running', 'paused')
