-- List those of these runs that exist.
select run_key
from runs
where run_key = any($1)
