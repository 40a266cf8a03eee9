-- How often steps of runs were tried: the last attempt that was noted, how many have failed, and since when.
select run_key, position, max(attempt) as attempt, count(error) as failed,
    min(started_at) as since
from attempts
where run_key = any($1)
group by run_key, position
