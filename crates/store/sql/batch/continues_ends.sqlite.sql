-- End the attempts that were in progress when the next generation of their run began.
update attempts
set finished_at = $2, error = $3
where run_key = $1 and finished_at is null
