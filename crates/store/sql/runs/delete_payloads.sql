-- Delete the payloads of runs that are deleted.
delete from payloads
where run_key = any($1)
