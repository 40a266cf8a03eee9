-- A call of the run takes a message that none has taken.
update messages
set consumed_by = $3
where run_key = $1 and seq = $2 and consumed_by is null
