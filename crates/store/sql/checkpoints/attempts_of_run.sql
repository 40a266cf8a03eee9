-- List the recorded attempts of one run in its current generation.
select position, attempt, name, started_at, finished_at, error, notes, beat_at, progress
from attempts
where run_key = $1 and position >= coalesce((select first_position from runs where run_key = $1), 0)
order by position, attempt
