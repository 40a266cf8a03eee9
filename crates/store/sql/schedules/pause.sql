-- Pause a schedule that is not paused: its ticks start no runs.
update schedules
set paused = true, updated_at = $2, steered = $3
where id = $1 and paused = false
