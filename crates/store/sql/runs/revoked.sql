-- The runs that were taken from an executor and that it has not let go of.
select run_key
from runs
where executor = $1 and revoked = true
