-- Let no tick of a schedule start anything.
update schedules
set paused = true, updated_at = $2
where id = $1
