-- Read what the feed says of these runs.
select run_key, id, workflow, version, status, executor, updated_at
from runs
where run_key = any($1)
