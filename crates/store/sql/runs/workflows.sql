-- Every workflow that has runs. It goes from one name to the next, for each may have very many.
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
