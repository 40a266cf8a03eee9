-- Lists find forks in the order of their pages.
create index runs_forks on runs (run_key) where forked_from is not null;

-- Runs that started by the clock of their executor more than a minute before they were created by that of whoever did. As long as
-- there are none, a list of what has started by then looks at no run that was created a minute later.
create index runs_early on runs (run_key) where started_at < created_at - 60000000;

-- Lists find what started within a time.
create index runs_started on runs (started_at) where started_at is not null;
