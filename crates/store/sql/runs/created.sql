-- Which of these runs are there.
select run_key
from runs
where run_key = any($1)
