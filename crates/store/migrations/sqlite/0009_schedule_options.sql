-- Schedules: in which queue their runs wait, how long they may take, and what is attached to them.

alter table schedules add column queue text;
alter table schedules add column priority integer not null default 0;
alter table schedules add column timeout integer;
alter table schedules add column attributes text;
