-- A hook is closed: its token is free.
delete from hooks
where run_key = $1 and position = $2
