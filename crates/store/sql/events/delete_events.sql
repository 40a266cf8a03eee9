-- Delete the events of runs that are deleted.
delete from events
where run_key = any($1)
