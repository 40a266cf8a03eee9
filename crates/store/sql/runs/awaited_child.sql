-- Find the first child that has not ended of those that this run waits for before it ends.
select run_key
from runs
where on_parent_end = 'wait' and parent_key = $1 and finished_at is null
order by run_key
limit 1
