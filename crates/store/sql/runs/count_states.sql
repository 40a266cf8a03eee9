-- Count these runs by state.
select status, count(*) as runs
from runs
where run_key = any($1)
group by status
