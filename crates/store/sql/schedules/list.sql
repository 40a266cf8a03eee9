-- List all schedules.
select s.id, s.workflow, s.version, s.cron, s.zone, s.catch_up, s.overlap, s.paused, s.done_until, s.last_tick,
    s.next_tick, s.created_at, s.options, s.steered,
    (select id from runs where run_key = s.last_run) as last_run_id
from schedules s
order by s.id
