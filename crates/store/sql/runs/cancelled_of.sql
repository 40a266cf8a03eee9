-- The runs that were cancelled while an executor had them and that it has not let go of.
select run_key
from runs
where executor = $1 and revoked = true and status = 'cancelled'
