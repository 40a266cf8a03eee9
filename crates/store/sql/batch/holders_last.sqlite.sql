-- The last run of a queue that had this dedup, whether it has ended or not.
select run_key, id, workflow, input_hash, parent_key, parent_position
from runs
where queue = $1 and dedup = $2
order by run_key desc
limit 1
