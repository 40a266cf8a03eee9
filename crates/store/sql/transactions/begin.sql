-- Whether an executor has a run, in this possession, and lives; the lock lasts as long as the transaction. It stops nobody who
-- steers or releases the run, and it is what tells whoever lost an answer that the session before has ended.
select run_key
from runs
where run_key = $1 and executor = $2 and owners = $3 and revoked = false
    and exists (select 1 from executors where executor = $2 and not dead)
for key share
