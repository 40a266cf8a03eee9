-- Find up to $2 runs that took $1 or longer, which is at least a tenth of a second, or have been running since $3 or earlier. The
-- states are those that have an index.
select run_key
from (
    select run_key
    from runs
    where finished_at - started_at >= $1 and finished_at - started_at >= 100000
    limit $2
) as ended
union all
select run_key
from (
    select run_key
    from runs
    where status in ('running', 'paused', 'enqueued', 'delayed') and status <> 'succeeded' and finished_at is null
        and started_at <= $3
    limit $2
) as open
