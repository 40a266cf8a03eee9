-- Record the run that the last tick of a schedule started.
update schedules
set last_run = $2
where id = $1
