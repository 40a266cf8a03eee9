-- Read what people have to do for a run, for export.
select position, title, schema
from person_requests
where run_key = $1
order by position
