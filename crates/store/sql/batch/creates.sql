-- Create runs. Says which were created: for the others there is a run of that id already. A run of an executor that is for a
-- queue begins at once where the queue has no limits, is not paused, and nobody waits in it; else it waits like others. Nobody
-- waits for a queue that is being changed: it lets no run begin. Others are told of runs that they may claim.
with new as materialized (
    select *
    from unnest(
        $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[],
        $10::uuid[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::text[], $17::text[],
        $18::text[], $19::text[], $20::bigint[], $21::text[]
    ) as given (
        by, run_key, id, workflow, version, status, executor, ready_at, recoveries_max,
        parent_key, parent_position, created_at, timeout, deadline, input_hash, identity, attributes,
        input, queue, priority, partition_key
    )
    where by <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
),
lets as materialized (
    select name
    from queues
    where name = any(array(select distinct queue from new where executor is not null and queue is not null))
        and not paused and concurrency is null and per_executor is null and rate_count is null
        and partition_concurrency is null and partition_rate_count is null
        and (select 1 from runs where runs.queue = queues.name and runs.status = 'enqueued' limit 1) is null
    for share skip locked
),
placed as (
    select new.*, executor is null or (queue is not null and not exists (select 1 from lets where name = new.queue)) as waits
    from new
),
made as (
    insert into runs (
        run_key, id, workflow, version, status, executor, ready_at, recoveries_max, parent_key, parent_position,
        created_at, updated_at, started_at, owners, timeout, deadline, input_hash, identity, attributes, input,
        queue, priority, partition_key, seq
    )
    select
        run_key, id, workflow, version, case when waits and executor is not null then 'enqueued' else status end,
        case when waits then null else executor end, ready_at, recoveries_max, parent_key, parent_position,
        created_at, created_at, case when waits then null else created_at end, case when waits then 0 else 1 end, timeout,
        case when queue is null or waits then deadline else coalesce(deadline, created_at + timeout) end,
        input_hash, identity, attributes, input,
        queue, priority, partition_key, case when queue is null then null else nextval('queue_seq') end
    from placed
    on conflict (id) do nothing
    returning run_key, executor, queue
),
told as (
    select pg_notify('onward', case when queue is null then 'ready' else 'queued:' || queue end) as told
    from (select distinct queue from made where executor is null) as waiting
)
select made.run_key, made.executor is null as waits
from made
cross join (select count(*) from told) as told
