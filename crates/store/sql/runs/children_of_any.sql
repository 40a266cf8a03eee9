-- List the children of runs being paused. Ended ones are included, because their own children may still run.
select run_key
from runs
where parent_key = any($1)
order by run_key
