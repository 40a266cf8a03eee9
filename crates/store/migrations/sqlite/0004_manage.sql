-- Runs that were forked, sleeps that were ended early, and the indexes by which lists find runs.
-- A run that just succeeds is in no index of states: these are for what somebody may have to look at.

alter table runs add column forked_from blob;
alter table runs add column fork_position integer;
alter table waits add column woken integer not null default 0;

create index runs_forked on runs (forked_from) where forked_from is not null;
create index runs_status on runs (status) where status <> 'succeeded';
create index runs_workflow on runs (workflow);
create index runs_finished on runs (finished_at) where finished_at is not null;
create index runs_user on runs (identity ->> 'user') where identity is not null;
create index runs_attributes on runs (run_key) where attributes is not null;
create index waits_woken on waits (run_key) where woken = true;
