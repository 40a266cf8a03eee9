-- Keep a value that an event had. Of those that one step set, the last.
insert into event_history (run_key, position, key, value, set_at)
values ($1, $2, $3, $4, $5)
on conflict (run_key, position, key) do update set value = excluded.value, set_at = excluded.set_at
