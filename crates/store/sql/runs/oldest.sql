-- Read when the oldest run was created.
select created_at
from runs
order by run_key
limit 1
