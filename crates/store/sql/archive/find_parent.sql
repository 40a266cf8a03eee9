-- Find the run that had key $1 when it was exported, or has it now, and that has no child at position $2. The greatest key
-- wins.
select run_key
from runs
where (origin_key = $1 or run_key = $1) and not exists (
    select 1
    from runs as child
    where child.parent_key = runs.run_key and child.parent_position = $2
)
order by run_key desc
limit 1
