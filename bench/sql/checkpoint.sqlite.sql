-- Record the result of one step.
insert into checkpoints (run_key, position, seq, kind, name, output, started_at, finished_at)
values (?1, ?2, ?3, 'step', ?4, ?5, ?6, ?6)
