-- The token that a call of a run has, from before a crash.
select token
from hooks
where run_key = $1 and position = $2
