-- Lock the run's row for an action of its own workflow, if a live executor owns the run in this ownership epoch.
select run_key
from runs
where run_key = $1 and executor = $2 and owners = $3 and revoked = false
    and exists (select 1 from executors where executor = $2 and not dead)
for no key update
