-- Find the token that a call of a run registered before a crash.
select token
from hooks
where run_key = $1 and position = $2
