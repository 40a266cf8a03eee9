-- Create a queue, or change its settings. A setting whose flag is false keeps its value.
insert into queues (
    name, concurrency, per_executor, rate_count, rate_period, partition_concurrency, partition_rate_count,
    partition_rate_period, created_at, updated_at
)
values ($1, $2, $4, $6, $7, $9, $11, $12, $14, $14)
on conflict (name) do update set
    concurrency = case when $3 then excluded.concurrency else queues.concurrency end,
    per_executor = case when $5 then excluded.per_executor else queues.per_executor end,
    rate_count = case when $8 then excluded.rate_count else queues.rate_count end,
    rate_period = case when $8 then excluded.rate_period else queues.rate_period end,
    partition_concurrency = case when $10 then excluded.partition_concurrency else queues.partition_concurrency end,
    partition_rate_count = case when $13 then excluded.partition_rate_count else queues.partition_rate_count end,
    partition_rate_period = case when $13 then excluded.partition_rate_period else queues.partition_rate_period end,
    updated_at = excluded.updated_at
