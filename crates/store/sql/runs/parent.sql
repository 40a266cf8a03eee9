-- The run that started a run, if one did.
select parent_key
from runs
where run_key = $1 and parent_key is not null
