-- Record an attempt that failed or is taking long.
insert into attempts (run_key, position, attempt, name, started_at, finished_at, error, notes)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (run_key, position, attempt) do update
set finished_at = excluded.finished_at, error = excluded.error, notes = excluded.notes
