-- Move delayed runs whose time has come into their queues, in the order in which they were due.
with due as materialized (
    select run_key, ready_at, seq
    from runs
    where status = 'delayed' and queue is not null and ready_at <= $1 and executor is null
    order by ready_at
    limit $3
    for no key update skip locked
),
placed as (
    select run_key, row_number() over (order by ready_at, seq, run_key) as place
    from due
)
update runs
set status = 'enqueued', ready_at = null, seq = $2 + placed.place, updated_at = $1, gather = null
from placed
where runs.run_key = placed.run_key
returning runs.run_key
