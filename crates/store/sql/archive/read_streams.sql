-- The chunks of streams of a run, to be written to a file.
select key, idx, position, attempt, kind, body, bytes, appended_at
from streams
where run_key = $1
order by key, idx
