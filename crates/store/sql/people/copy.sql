-- Copy what people had to do for the calls that a fork has.
insert into person_requests (run_key, position, title, schema)
select $2, position, title, schema
from person_requests
where run_key = $1 and position in (select position from checkpoints where run_key = $2)
