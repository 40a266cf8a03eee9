-- Copy a run's input to another run, if it is stored outside the run's row.
insert into payloads (run_key, kind, body)
select $2, kind, body
from payloads
where run_key = $1 and kind = 'input'
