-- Find the message with this key that was sent to the run before.
select seq, sent_at
from messages
where run_key = $1 and key = $2
