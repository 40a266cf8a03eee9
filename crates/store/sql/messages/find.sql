-- Which call took a message, if one has.
select consumed_by
from messages
where run_key = $1 and seq = $2
