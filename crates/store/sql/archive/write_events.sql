-- Import an event of a run.
insert into events (run_key, key, value, updated_at)
values ($1, $2, $3, $4)
