-- Find up to $2 runs whose id contains a text. The index on ids is scanned, which is much smaller than the runs.
select run_key
from runs indexed by runs_id
where instr(id, $1) > 0
limit $2
