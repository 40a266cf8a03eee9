-- List the revoked runs that an executor has not released.
select run_key
from runs
where executor = $1 and revoked = true
