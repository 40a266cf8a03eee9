-- Delete the payloads of deleted runs.
delete from payloads
where run_key = any($1)
