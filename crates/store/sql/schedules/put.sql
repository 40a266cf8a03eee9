-- Create or redefine a schedule. Later ticks follow the new definition; ticks already due stay due unless the cron expression
-- or the time zone changes.
insert into schedules (
    id, workflow, version, cron, zone, catch_up, overlap, done_until, next_tick, created_at, updated_at,
    options
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $8, $10)
on conflict (id) do update set
    workflow = excluded.workflow, version = excluded.version, catch_up = excluded.catch_up, overlap = excluded.overlap,
    updated_at = excluded.updated_at, options = excluded.options, cron = excluded.cron, zone = excluded.zone,
    done_until = case
        when schedules.cron = excluded.cron and schedules.zone = excluded.zone then schedules.done_until
        else excluded.done_until
    end,
    next_tick = case
        when schedules.cron = excluded.cron and schedules.zone = excluded.zone then schedules.next_tick
        else excluded.next_tick
    end
