-- What may be claimed, by workflow and version: an executor looks up what it knows, however much waits that it does not know.
create index runs_claimable on runs (workflow || '@' || version, ready_at)
where executor is null and ready_at is not null;

-- What is recovered alone, because it may have killed its process. There are few.
create index runs_suspects on runs (ready_at) where executor is null and ready_at is not null and recoveries > 2;
