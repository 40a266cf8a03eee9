-- Delete the row of an attempt that is no longer kept.
delete from attempts
where run_key = $1 and position = $2 and attempt = $3
