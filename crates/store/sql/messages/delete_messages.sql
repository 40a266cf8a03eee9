-- Delete the messages of runs that are deleted.
delete from messages
where run_key = any($1)
