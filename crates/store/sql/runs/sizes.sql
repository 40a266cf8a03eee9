-- Count the rows of these runs in the tables where a run can have many.
select runs.run_key, 1
    + (select count(*) from checkpoints where checkpoints.run_key = runs.run_key)
    + (select count(*) from attempts where attempts.run_key = runs.run_key)
    + (select count(*) from messages where messages.run_key = runs.run_key)
    + (select count(*) from event_history where event_history.run_key = runs.run_key)
    + (select count(*) from streams where streams.run_key = runs.run_key)
    + (select count(*) from pushes where pushes.run_key = runs.run_key) as many
from runs
where runs.run_key = any($1)
