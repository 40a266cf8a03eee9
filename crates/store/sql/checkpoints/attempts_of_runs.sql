-- How often steps of runs were tried.
select run_key, position, max(attempt) as attempt
from attempts
where run_key = any($1)
group by run_key, position
