-- Import a wait of a run.
insert into waits (run_key, position, kind, name, due_at, child_key, since, topic, target, woken)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
