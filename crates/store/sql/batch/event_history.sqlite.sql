-- Keep a value of an event; if one step set the event several times, keep the last.
insert into event_history (run_key, position, key, value, set_at)
values ($1, $2, $3, $4, $5)
on conflict (run_key, position, key) do update set value = excluded.value, set_at = excluded.set_at
