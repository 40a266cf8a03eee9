-- Schedules: which workflow is run when. All ticks up to `done_until` are dealt with; it only moves forward.

create table schedules (
    id text collate "C" primary key,
    workflow text collate "C" not null,
    version text collate "C" not null,
    cron text not null,
    zone text not null,
    catch_up text collate "C" not null,
    overlap text collate "C" not null,
    paused boolean not null default false,
    done_until bigint not null,
    last_tick bigint,
    next_tick bigint,
    last_run uuid,
    created_at bigint not null,
    updated_at bigint not null
) with (fillfactor = 70);
