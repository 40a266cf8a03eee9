-- Find the call that consumed a message, if any.
select consumed_by
from messages
where run_key = $1 and seq = $2
