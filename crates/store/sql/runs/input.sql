-- Read the input of a run.
select coalesce(r.input, (select body from payloads where run_key = r.run_key and kind = 'input')) as input
from runs r
where r.run_key = $1
