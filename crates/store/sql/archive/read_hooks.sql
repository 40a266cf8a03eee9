-- Read the hook tokens of a run for export.
select token, position, opened_at
from hooks
where run_key = $1
order by token
