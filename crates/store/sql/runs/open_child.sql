-- Find a child of this run that has not ended.
select id
from runs
where parent_key = $1 and finished_at is null
limit 1
