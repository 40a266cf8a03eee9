-- Choose and lock the first $3 waiting runs of a queue, of the workflow versions in $2.
select run_key, partition_key
from runs
where queue = $1 and status = 'enqueued' and executor is null and (workflow || '@' || version) = any($2)
order by priority, seq
limit $3
for no key update skip locked
