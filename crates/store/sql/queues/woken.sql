-- Runs of a queue that have their slot, that nobody has, and that may go on. One that may have killed its process comes last.
select run_key, recoveries
from runs
where queue = $1 and (status = 'running' or executor is not null) and status = 'running' and executor is null
    and ready_at <= $3 and (workflow || '@' || version) = any($2)
order by recoveries, ready_at, run_key
limit $4
for no key update skip locked
