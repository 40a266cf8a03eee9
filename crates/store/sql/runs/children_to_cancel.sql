-- List the children of runs being cancelled, except those that go on all the same. Ended ones are included, because their own
-- children may still run.
select run_key
from runs
where parent_key = any($1) and coalesce(on_parent_end, '') <> 'leave'
order by run_key
