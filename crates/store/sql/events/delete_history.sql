-- Delete the values that events of runs that are deleted had.
delete from event_history
where run_key = any($1)
