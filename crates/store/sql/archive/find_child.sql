-- Find the run that had key $2 when it was exported, or has it now. Prefer a child of parent $1, then the run whose key is $2,
-- then the greatest key.
select run_key
from runs
where origin_key = $2 or run_key = $2
order by coalesce(parent_key = $1, false) desc, run_key = $2 desc, run_key desc
limit 1
