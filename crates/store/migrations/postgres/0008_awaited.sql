-- A wait for an event names the run that sets it by its id, for that run need not be there yet. So `target_key` is not used.

alter table waits add column target text collate "C";

drop index waits_target;

create index waits_awaited on waits (target) where target is not null;
