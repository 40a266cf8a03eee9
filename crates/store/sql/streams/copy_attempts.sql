-- Copy to a fork the attempts of steps that appended to its streams: attempts decide which chunks count.
insert into attempts (
    run_key, position, attempt, name, started_at, finished_at, error, notes, failures, retry_at, beat_at, progress
)
select $2, a.position, a.attempt, a.name, a.started_at, a.finished_at, a.error, a.notes, a.failures, a.retry_at, a.beat_at,
    a.progress
from attempts a
where a.run_key = $1 and exists (select 1 from streams s where s.run_key = $2 and s.position = a.position)
