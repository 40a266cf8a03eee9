-- The children of runs that are cancelled. Those that have ended are among them, for theirs may still run.
select run_key
from runs
where parent_key = any($1)
order by run_key
