-- Store a payload that is too long for the run's row.
insert into payloads (run_key, kind, body)
values ($1, $2, $3)
on conflict (run_key, kind) do update set body = excluded.body
