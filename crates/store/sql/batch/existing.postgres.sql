-- The runs that have these ids.
select run_key, id, workflow, input_hash, parent_key, parent_position
from runs
where id = any($1::text[])
