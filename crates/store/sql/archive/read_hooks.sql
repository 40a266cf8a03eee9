-- The tokens of a run, to be written to a file.
select token, position, opened_at
from hooks
where run_key = $1
order by token
