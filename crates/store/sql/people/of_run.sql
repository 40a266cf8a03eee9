-- List what people had or have to do for the calls of a run from position $2 on.
select position, title, schema
from person_requests
where run_key = $1 and position >= $2
