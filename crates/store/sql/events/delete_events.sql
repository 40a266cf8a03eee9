-- Delete the events of deleted runs.
delete from events
where run_key = any($1)
