-- Summarise the attempts of steps of these runs: the last recorded attempt, how many failed, and when the first began.
select run_key, position, max(attempt) as attempt, count(error) as failed,
    min(started_at) as since
from attempts
where run_key = any($1)
group by run_key, position
