-- Lock the run of a workflow that has not begun and still gathers for this key, so that it is not started meanwhile.
select run_key, id, workflow, version, input_hash, parent_key, parent_position, ready_at, gather_until, gathered
from runs
where workflow = $1 and gather = $2 and status = 'delayed'
for no key update
