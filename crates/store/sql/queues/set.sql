-- Set the limits of a queue that are in force, and where they come from.
update queues
set concurrency = $2, per_executor = $3, rate_count = $4, rate_period = $5, partition_concurrency = $6,
    partition_rate_count = $7, partition_rate_period = $8, declared = $9, overridden = $10, updated_at = $11
where name = $1
