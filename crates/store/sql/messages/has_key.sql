-- Check whether a message with this key was sent to the run before.
select seq
from messages
where run_key = $1 and key = $2
