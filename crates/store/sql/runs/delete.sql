-- Delete runs that have ended and have no owner.
delete from runs
where run_key = any($1) and finished_at is not null and executor is null
