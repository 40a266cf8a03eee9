-- Import a past value of a run's event.
insert into event_history (run_key, position, key, value, set_at)
values ($1, $2, $3, $4, $5)
