-- Mark all ticks of a schedule up to $3 as done. If another executor did so since the schedule was read, nothing changes.
update schedules
set done_until = $3, last_tick = coalesce($4, last_tick), next_tick = $5, updated_at = $6
where id = $1 and done_until = $2 and done_until < $3 and paused = false
returning last_run
