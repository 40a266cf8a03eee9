-- Resume a paused schedule: its ticks start runs again, from $2 on.
update schedules
set paused = false, done_until = case when done_until > $2 then done_until else $2 end, next_tick = $3, updated_at = $2,
    steered = $4
where id = $1 and paused = true
