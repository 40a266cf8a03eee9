-- Record attempts that failed, are taking long or sent a heartbeat. Without a new heartbeat the recorded one stays.
insert into attempts (
    run_key, position, attempt, name, started_at, finished_at, error, notes, failures, retry_at, beat_at, progress
)
select run_key, position, attempt, name, started_at, finished_at, error, notes, failures, retry_at, beat_at, progress
from unnest(
    $1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::bigint[],
    $10::bigint[], $11::bigint[], $12::text[]
) as new (run_key, position, attempt, name, started_at, finished_at, error, notes, failures, retry_at, beat_at, progress)
where run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
on conflict (run_key, position, attempt) do update
set finished_at = excluded.finished_at, error = excluded.error, notes = excluded.notes, failures = excluded.failures,
    retry_at = excluded.retry_at, beat_at = coalesce(excluded.beat_at, attempts.beat_at),
    progress = coalesce(excluded.progress, attempts.progress)
