-- How often steps of runs were tried: the last attempt that was noted, and how many have failed.
select run_key, position, max(attempt) as attempt, count(error) as failed
from attempts
where run_key = any($1)
group by run_key, position
