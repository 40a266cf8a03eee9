-- List the runs that were cancelled, or paused with their descendants, while an executor owned them and that it has not
-- released.
select run_key
from runs
where executor = $1 and revoked = true
    and (status = 'cancelled' or (status = 'paused' and paused_with is not null))
