-- Add an act to the histories of these runs, whose rows are locked.
insert into steerings (run_key, seq, steering)
select run_key, 1 + coalesce((select max(seq) from steerings before where before.run_key = runs.run_key), 0), $2
from runs
where run_key = any($1)
