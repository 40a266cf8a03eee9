-- Import a checkpoint of a run.
insert into checkpoints (run_key, position, seq, kind, name, output, error, started_at, finished_at, notes)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
