-- Read the attempts of a run for export.
select position, attempt, name, started_at, finished_at, error, notes, failures, retry_at, beat_at, progress
from attempts
where run_key = $1
order by position, attempt
