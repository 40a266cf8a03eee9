-- Import an attempt of a run.
insert into attempts (
    run_key, position, attempt, name, started_at, finished_at, error, notes, failures, retry_at, beat_at, progress
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
