-- Schedules: in which queue their runs wait, how long they may take, and what is attached to them.

alter table schedules
    add column queue text collate "C",
    add column priority bigint not null default 0,
    add column timeout bigint,
    add column attributes text;
