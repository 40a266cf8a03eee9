-- How often the run is attempted as a whole, as its starter said: a `Retry` as JSON. Null for the policy of its workflow.
alter table runs add column retry text;
-- The attempt that is not the first one, with the error of the attempt before: a `Retrying` as JSON.
alter table runs add column retrying text;
-- What becomes of the run when its parent ends: `cancel`, `leave` or `wait`. Null: it is cancelled if its parent is cancelled.
alter table runs add column on_parent_end text;
-- Until when a run pauses whose process died several times. Nothing wakes it before.
alter table runs add column recover_at bigint;

-- Children that are cancelled when their parent ends, and children that their parent waits for. Others pay nothing for it.
create index runs_end_with_parent on runs (on_parent_end, parent_key)
where on_parent_end in ('cancel', 'wait') and finished_at is null;
