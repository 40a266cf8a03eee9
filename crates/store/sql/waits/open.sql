-- A run waits. A wait that is there already, from before a crash, keeps its time.
insert into waits (run_key, position, kind, name, due_at, child_key, topic, target, since)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (run_key, position) do nothing
