-- Read the stream chunks of a run for export.
select key, idx, position, attempt, kind, body, bytes, appended_at
from streams
where run_key = $1
order by key, idx
