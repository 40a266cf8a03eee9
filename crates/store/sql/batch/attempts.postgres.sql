-- Record attempts that failed or are taking long.
insert into attempts (run_key, position, attempt, name, started_at, finished_at, error, notes)
select run_key, position, attempt, name, started_at, finished_at, error, notes
from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[])
    as new (run_key, position, attempt, name, started_at, finished_at, error, notes)
where run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
on conflict (run_key, position, attempt) do update
set finished_at = excluded.finished_at, error = excluded.error, notes = excluded.notes
