-- Schedules: which workflow is run when. All ticks up to `done_until` are dealt with; it only moves forward.

create table schedules (
    id text primary key,
    workflow text not null,
    version text not null,
    cron text not null,
    zone text not null,
    catch_up text not null,
    overlap text not null,
    paused integer not null default 0,
    done_until integer not null,
    last_tick integer,
    next_tick integer,
    last_run blob,
    created_at integer not null,
    updated_at integer not null
) without rowid;
