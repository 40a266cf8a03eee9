-- Give back the messages that a failed attempt of a run took: the next attempt takes them again.
update messages
set consumed_by = null
where run_key = $1 and consumed_by >= $2
