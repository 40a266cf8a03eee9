-- Give a run events that a file has.
insert into events (run_key, key, value, updated_at)
values ($1, $2, $3, $4)
