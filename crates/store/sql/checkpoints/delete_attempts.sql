-- Delete the attempts of runs that are deleted.
delete from attempts
where run_key = any($1)
