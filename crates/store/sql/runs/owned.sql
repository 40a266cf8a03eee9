-- The runs that an executor has.
select run_key
from runs
where executor = $1 and revoked = false
order by run_key
