-- Delete the attempts of deleted runs.
delete from attempts
where run_key = any($1)
