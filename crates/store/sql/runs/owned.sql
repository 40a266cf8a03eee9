-- List the runs that an executor owns.
select run_key
from runs
where executor = $1 and revoked = false
order by run_key
