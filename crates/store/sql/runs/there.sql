-- Count those of these runs that exist.
select count(*) as n
from runs
where run_key = any($1)
