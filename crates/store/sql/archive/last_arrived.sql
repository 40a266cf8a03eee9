-- Find the run that had this key when it was exported. Of several, the last one imported.
select run_key
from runs
where origin_key = $1
order by run_key desc
limit 1
