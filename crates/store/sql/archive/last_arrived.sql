-- The run that had a key where it was exported: the last one that came.
select run_key
from runs
where origin_key = $1
order by run_key desc
limit 1
