-- The run that had the key $1 where it was exported, or has it, and has no child at the position $2.
select run_key
from runs
where (origin_key = $1 or run_key = $1) and not exists (
    select 1
    from runs as child
    where child.parent_key = runs.run_key and child.parent_position = $2
)
order by run_key desc
limit 1
