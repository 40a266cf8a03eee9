-- Check that a live executor owns the run in this ownership epoch, and lock the run's row until the transaction ends. The lock
-- blocks no session that manages or releases the run; it lets a client that lost an answer wait until the previous session has
-- ended.
select run_key
from runs
where run_key = $1 and executor = $2 and owners = $3 and revoked = false
    and exists (select 1 from executors where executor = $2 and not dead)
for key share
