-- A queue with limits, locked: whoever counts its runs in later statements counts alone. It waits for the lock, because who
-- stepped over it would lose a wake-up.
select name, concurrency, per_executor, rate_count, rate_period, partition_concurrency, partition_rate_count,
    partition_rate_period, paused, served, created_at, updated_at
from queues
where name = $1
for no key update
