-- Import an act on a run.
insert into steerings (run_key, seq, steering)
values ($1, $2, $3)
