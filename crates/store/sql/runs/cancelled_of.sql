-- List the runs that were cancelled while an executor owned them and that it has not released.
select run_key
from runs
where executor = $1 and revoked = true and status = 'cancelled'
