-- Find when the next tick of any schedule is due.
select min(next_tick) as next_tick
from schedules
where paused = false
