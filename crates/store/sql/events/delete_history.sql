-- Delete the past event values of deleted runs.
delete from event_history
where run_key = any($1)
