-- The run that had the key $2 where it was exported, or has it: that of the parent $1 before all, else the one with the last key.
select run_key
from runs
where origin_key = $2 or run_key = $2
order by coalesce(parent_key = $1, false) desc, run_key = $2 desc, run_key desc
limit 1
