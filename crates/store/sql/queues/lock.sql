-- Lock a queue with limits, so that only one claimer at a time counts its runs in later statements. It waits for the lock:
-- skipping a locked queue would lose a wake-up.
select name, concurrency, per_executor, rate_count, rate_period, partition_concurrency, partition_rate_count,
    partition_rate_period, paused, served, created_at, updated_at
from queues
where name = $1
for no key update
