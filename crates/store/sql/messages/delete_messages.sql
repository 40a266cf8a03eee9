-- Delete what was sent to runs that are deleted.
delete from messages
where run_key = any($1)
