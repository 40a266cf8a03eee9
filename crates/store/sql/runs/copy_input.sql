-- Give a run the input of another one, where that lies beside it.
insert into payloads (run_key, kind, body)
select $2, kind, body
from payloads
where run_key = $1 and kind = 'input'
