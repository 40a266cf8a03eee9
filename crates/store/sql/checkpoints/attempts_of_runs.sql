-- Summarise the attempts of steps of these runs: the last recorded attempt, how many failed, when the first began, when the next
-- one may begin, and the last heartbeat of a step without a result. The progress of each step is looked up by its key, so steps
-- without heartbeats pay nothing for it.
select tried.run_key, tried.position, tried.attempt, tried.failed, tried.failures, tried.since, tried.retry_at, tried.beat,
    (
        select beats.beat_at
        from attempts beats
        where beats.run_key = tried.run_key and beats.position = tried.position and beats.attempt = tried.beat
    ) as beat_at,
    (
        select beats.progress
        from attempts beats
        where beats.run_key = tried.run_key and beats.position = tried.position and beats.attempt = tried.beat
            and not exists (
                select 1 from checkpoints c where c.run_key = beats.run_key and c.position = beats.position
            )
    ) as progress
from (
    select run_key, position, max(attempt) as attempt, count(error) as failed, max(failures) as failures,
        min(started_at) as since, max(retry_at) as retry_at, max(case when beat_at is not null then attempt end) as beat
    from attempts
    where run_key = any($1)
    group by run_key, position
) as tried
