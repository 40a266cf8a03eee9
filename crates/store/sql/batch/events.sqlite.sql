-- Set an event: its latest value.
insert into events (run_key, key, value, updated_at)
values ($1, $2, $3, $4)
on conflict (run_key, key) do update set value = excluded.value, updated_at = excluded.updated_at
