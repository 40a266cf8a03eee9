-- List the children of this run that go on.
select run_key
from runs
where parent_key = $1 and status in ('delayed', 'enqueued', 'running')
order by run_key
