-- The attempts of a run, to be written to a file.
select position, attempt, name, started_at, finished_at, error
from attempts
where run_key = $1
order by position, attempt
