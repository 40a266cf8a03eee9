-- Only some of the attempts of a step are kept, so each says how many had failed by then. After a short pause the next attempt
-- begins no earlier than `retry_at`; a long pause is a wait. The last heartbeat of the body: when it was sent, and the progress.
alter table attempts add column failures bigint;
alter table attempts add column retry_at bigint;
alter table attempts add column beat_at bigint;
alter table attempts add column progress text;

-- Steps in progress that send heartbeats. Others are not in it.
create index attempts_beats on attempts (run_key) where beat_at is not null and finished_at is null;
