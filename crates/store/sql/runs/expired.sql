-- List up to $6 runs of a workflow between two places in the order in which runs ended.
-- The name is compared as an expression: through the index of names, all runs of the workflow would be sorted for each page.
select run_key, finished_at
from runs
where workflow || '' = $1 and finished_at is not null
    and (finished_at, run_key) > ($2, $3) and (finished_at, run_key) <= ($4, $5)
order by finished_at, run_key
limit $6
