-- Times, families and files: what a run keeps while it does not go on, with which run it was taken off its way, and which
-- run it was before it travelled as a file.

-- When a run was to start that was paused or cancelled before. While it is, `ready_at` is null: nobody looks for it.
alter table runs add column held_until bigint;

-- The run with which it was cancelled, or came here paused: it comes back with that one. None for what a person did to it alone.
alter table runs add column steered_with uuid;

-- That it was paused before it was cancelled with that run: then it comes back paused.
alter table runs add column steered_from text;

-- The key that it had where it was exported.
alter table runs add column origin_key uuid;

update runs set steered_with = parent_key where status = 'cancelled' and said = 'cancelled with its parent';

create index runs_steered_with on runs (steered_with) where steered_with is not null;

create index runs_origin on runs (origin_key) where origin_key is not null;
