-- List the children of a run in the order of their creation.
select id
from runs
where parent_key = (select run_key from runs where id = $1)
order by run_key
