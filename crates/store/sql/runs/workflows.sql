-- List all workflows that have runs. It jumps from name to name, because each may have very many runs.
with recursive named (workflow) as (
    select (select min(workflow) from runs)
    union all
    select (select min(runs.workflow) from runs where runs.workflow > named.workflow)
    from named
    where named.workflow is not null
)
select workflow
from named
where workflow is not null
