-- List runs after $1 that were cancelled, or paused with their descendants, while owned by an executor that is now dead or gone.
with gone as materialized (
    select distinct executor
    from runs
    where executor is not null
    except
    select executor
    from executors
    where not dead
)
select run_key
from runs
where executor is not null and executor in (select executor from gone) and revoked = true
    and (status = 'cancelled' or (status = 'paused' and paused_with is not null))
    and run_key > $1
order by run_key
limit $2
