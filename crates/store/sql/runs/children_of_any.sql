-- List the children of runs being cancelled, including those that have ended, whose own children may still run.
select run_key
from runs
where parent_key = any($1)
order by run_key
