-- Whether a message of this key was sent to a run before.
select seq
from messages
where run_key = $1 and key = $2
