-- A message fits no call of the run: it is set aside. One that somebody took back meanwhile is gone.
update messages
set refused = $3, refused_at = $4
where run_key = $1 and seq = $2 and consumed_by is null
