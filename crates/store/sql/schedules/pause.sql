-- Pause a schedule: its ticks start no runs.
update schedules
set paused = true, updated_at = $2
where id = $1
