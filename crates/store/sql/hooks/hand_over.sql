-- Hand the payloads of a hook, which no call has taken, to the call of a later generation that opened it again.
update messages
set topic = $3
where run_key = $1 and topic = $2 and consumed_by is null
