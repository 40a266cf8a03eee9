-- Find the last ended run of a workflow after which $2 others have ended, if there are that many.
-- The name is compared as an expression: through the index of names, all runs of the workflow would be sorted to find one.
select finished_at, run_key
from runs
where workflow || '' = $1 and finished_at is not null
order by finished_at desc, run_key desc
limit 1
offset $2
