-- Find up to $2 runs that these executors have or had last.
select run_key
from (
    select run_key
    from runs
    where executor = any($1) and executor is not null
    limit $2
) as has
union all
select run_key
from (
    select run_key
    from runs
    where last_executor = any($1) and last_executor is not null
    limit $2
) as had
