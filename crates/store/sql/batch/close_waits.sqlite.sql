-- A wait is over.
delete from waits
where run_key = $1 and position = $2
