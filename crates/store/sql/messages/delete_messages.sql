-- Delete the messages sent to deleted runs.
delete from messages
where run_key = any($1)
