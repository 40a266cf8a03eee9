-- Record an attempt that failed, is taking long or sent a heartbeat. Without a new heartbeat the recorded one stays.
insert into attempts (
    run_key, position, attempt, name, started_at, finished_at, error, notes, failures, retry_at, beat_at, progress
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (run_key, position, attempt) do update
set finished_at = excluded.finished_at, error = excluded.error, notes = excluded.notes, failures = excluded.failures,
    retry_at = excluded.retry_at, beat_at = coalesce(excluded.beat_at, attempts.beat_at),
    progress = coalesce(excluded.progress, attempts.progress)
