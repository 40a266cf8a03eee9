-- Forget the earlier values of the events of a run whose next generation begins.
delete from event_history
where run_key = $1
