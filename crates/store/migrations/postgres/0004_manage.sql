-- Runs that were forked, sleeps that were ended early, and the indexes by which lists find runs.
-- A run that just succeeds is in no index of states: these are for what somebody may have to look at.

alter table runs add column forked_from uuid;
alter table runs add column fork_position bigint;
alter table waits add column woken boolean not null default false;

create index runs_forked on runs (forked_from) where forked_from is not null;
create index runs_status on runs (status, run_key) where status <> 'succeeded';
create index runs_workflow on runs (workflow, run_key);
create index runs_finished on runs (finished_at) where finished_at is not null;
create index runs_user on runs ((identity::json ->> 'user'), run_key) where identity is not null;
create index runs_attributes on runs using gin ((attributes::jsonb) jsonb_path_ops) where attributes is not null;
create index waits_woken on waits (run_key) where woken;
