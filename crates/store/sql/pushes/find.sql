-- Find the run that accepted a push before, and the hash of what was pushed.
select r.run_key, r.id, r.workflow, r.input_hash, r.parent_key, r.parent_position, p.item_hash
from pushes p
join runs r on r.run_key = p.run_key
where p.workflow = $1 and p.gather = $2 and p.push = $3
