-- Let a call of the run consume a message that no call has consumed.
update messages
set consumed_by = $3
where run_key = $1 and seq = $2 and consumed_by is null
