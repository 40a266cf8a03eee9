-- How many of these runs are there.
select count(*) as n
from runs
where run_key = any($1)
