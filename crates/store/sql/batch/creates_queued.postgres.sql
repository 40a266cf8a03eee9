-- Create runs with a queue. Returns those that were created; for each of the others a run with that id, or an open run of the
-- queue with that dedup, already exists. A run that its executor would start begins at once if its queue is in $27, has no
-- limits, is not paused, and nothing waits in it. Otherwise it waits in the queue, with an open version if $26 says so. A queue
-- that is being changed is skipped, not waited for: no run begins at once in it.
-- Each run gets its place in the order of arrival before the runs are sorted by dedup: two batches that create the same runs in
-- different orders would wait for each other.
insert into runs (
    run_key, id, workflow, version, status, executor, ready_at, recoveries_max, parent_key, parent_position,
    created_at, timeout, deadline, input_hash, identity, attributes, input, origin,
    retry, on_parent_end, queue, priority, partition_key, dedup,
    updated_at, started_at, owners, seq
)
select
    run_key, id, workflow, case when is_open and not begins then '' else version end,
    case when begins or executor is null then status else 'enqueued' end,
    case when begins then executor end,
    ready_at, recoveries_max, parent_key, parent_position, created_at, timeout,
    case when begins then least(deadline, created_at + timeout) else deadline end,
    input_hash, identity, attributes, input, origin, retry, on_parent_end, queue, priority, partition_key, dedup,
    created_at, case when begins then created_at end, case when begins then 1 else 0 end, seq
from (
    select new.*, case when begins then null else nextval('queue_seq') end as seq
    from (
        select new.*, executor is not null and queue = any(lets.begin) as begins
        from unnest(
            $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[],
            $10::uuid[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::text[],
            $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::text[], $23::bigint[], $24::text[], $25::text[],
            $26::boolean[]
        ) with ordinality as new (
            by, run_key, id, workflow, version, status, executor, ready_at, recoveries_max,
            parent_key, parent_position, created_at, timeout, deadline, input_hash, identity, attributes,
            input, origin, retry, on_parent_end, queue, priority, partition_key, dedup, is_open, place
        )
        cross join (
            select array(
                select name
                from queues
                where name = any($27::text[]) and not paused and concurrency is null and per_executor is null
                    and rate_count is null and partition_concurrency is null and partition_rate_count is null
                    and (select 1 from runs where runs.queue = queues.name and runs.status = 'enqueued' limit 1) is null
                for share skip locked
            ) as begin
            offset 0
        ) as lets
        where by <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
        offset 0
    ) as new
    offset 0
) as new
order by queue, dedup, place
on conflict do nothing
returning run_key, executor is null as waits
