-- Choose runs of a queue that hold a slot, have no owner and are ready to continue. Runs that may have crashed their executor
-- come last.
select run_key, recoveries
from runs
where queue = $1 and (status = 'running' or executor is not null) and status = 'running' and executor is null
    and ready_at <= $3 and (workflow || '@' || version) = any($2)
order by recoveries, ready_at, run_key
limit $4
for no key update skip locked
