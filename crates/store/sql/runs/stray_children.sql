-- List the children of a run that it has no record of: they were created just before it crashed.
select run_key, id, workflow, parent_position
from runs
where parent_key = $1 and not exists (
    select 1
    from checkpoints
    where checkpoints.run_key = $1 and checkpoints.position = runs.parent_position
) and not exists (
    select 1
    from waits
    where waits.run_key = $1 and waits.position = runs.parent_position
)
