-- Delete runs that have ended and that nobody has.
delete from runs
where run_key = any($1) and finished_at is not null and executor is null
