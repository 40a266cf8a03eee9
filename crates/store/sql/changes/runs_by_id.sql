-- Read what the feed says of the runs with these ids.
select run_key, id, workflow, version, status, executor, updated_at
from runs
where id = any($1)
