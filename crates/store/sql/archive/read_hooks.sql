-- Read the hook tokens of a run for export.
select token, position, opened_at, person
from hooks
where run_key = $1
order by token
