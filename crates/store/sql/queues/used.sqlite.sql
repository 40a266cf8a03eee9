-- Read what limits the queues and partitions in $1, and how much of each limit is used: one statement for a whole page of runs. A
-- run that waits for a running child in the same queue has lent it its slot, so the two count once.
-- Differs from PostgreSQL in how a JSON list is read.
with place as materialized (
    select value ->> 'queue' as queue, value ->> 'partition' as partition_key
    from json_each($1)
), state as materialized (
    select q.name, q.concurrency, q.per_executor, q.rate_count, q.rate_period, q.partition_concurrency,
        q.partition_rate_count, q.partition_rate_period, q.paused, q.served, q.created_at, q.updated_at, q.steered,
        case when q.concurrency is not null then (
            select count(*)
            from runs
            where queue = q.name and (status = 'running' or executor is not null) and not exists (
                select 1
                from waits
                join runs as child on child.run_key = waits.child_key
                where waits.run_key = runs.run_key and child.queue = q.name
                    and (child.status = 'running' or child.executor is not null)
            )
        ) end as running,
        (
            select cast(coalesce(sum(n), 0) as bigint)
            from queue_starts
            where queue = q.name and at > cast($2 as bigint) - q.rate_period
        ) as started,
        (
            select min(at)
            from queue_starts
            where queue = q.name and at > cast($2 as bigint) - q.rate_period
        ) as first_start,
        case when q.per_executor is not null then (
            select count(*)
            from executors
            where not dead and (
                select count(*)
                from runs
                where queue = q.name and (status = 'running' or runs.executor is not null)
                    and runs.executor = executors.executor
            ) < q.per_executor
        ) end as with_room
    from queues as q
    where q.name in (select queue from place)
)
select place.queue, place.partition_key, state.name, state.concurrency, state.per_executor, state.rate_count, state.rate_period,
    state.partition_concurrency, state.partition_rate_count, state.partition_rate_period, state.paused, state.served,
    state.created_at, state.updated_at, state.steered, state.running, state.started, state.first_start, state.with_room,
    case when state.partition_concurrency is not null then (
        select count(*)
        from runs
        where queue = place.queue and (status = 'running' or executor is not null)
            and partition_key = place.partition_key and not exists (
                select 1
                from waits
                join runs as child on child.run_key = waits.child_key
                where waits.run_key = runs.run_key and child.queue = place.queue
                    and child.partition_key = place.partition_key
                    and (child.status = 'running' or child.executor is not null)
            )
    ) end as running_of_key,
    (
        select cast(coalesce(sum(n), 0) as bigint)
        from queue_starts
        where queue = place.queue and partition_key = place.partition_key
            and at > cast($2 as bigint) - state.partition_rate_period
    ) as started_of_key,
    (
        select min(at)
        from queue_starts
        where queue = place.queue and partition_key = place.partition_key
            and at > cast($2 as bigint) - state.partition_rate_period
    ) as first_start_of_key
from place
left join state on state.name = place.queue
