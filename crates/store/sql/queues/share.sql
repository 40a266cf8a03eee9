-- Lock a queue without limits for reading: many claimers may use it at once, but none while its limits are being changed.
select name, concurrency, per_executor, rate_count, rate_period, partition_concurrency, partition_rate_count,
    partition_rate_period, paused, served, created_at, updated_at
from queues
where name = $1
for share
