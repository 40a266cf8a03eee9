-- List those of these runs that have ended or are paused.
select run_key
from runs
where run_key = any($1) and (finished_at is not null or status = 'paused')
