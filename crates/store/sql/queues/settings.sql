-- Read the limits of a queue with where they come from, and lock it: nobody claims from it or changes its limits meanwhile.
select name, concurrency, per_executor, rate_count, rate_period, partition_concurrency, partition_rate_count,
    partition_rate_period, paused, served, created_at, updated_at, declared, overridden
from queues
where name = $1
for no key update
