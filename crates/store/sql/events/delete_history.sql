-- Delete the values that events had of runs that are deleted.
delete from event_history
where run_key = any($1)
