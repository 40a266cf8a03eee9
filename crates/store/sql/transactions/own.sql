-- Lock the run's row while its transaction commits, or raise: a division by zero means that the executor no longer owns the
-- run. Whatever manages or releases the run happens before this lock or after the commit.
with held as (
    select run_key
    from runs
    where run_key = $1 and executor = $2 and owners = $3 and revoked = false
        and exists (select 1 from executors where executor = $2 and not dead)
    for no key update
)
select 1 / count(*) as owned
from held
