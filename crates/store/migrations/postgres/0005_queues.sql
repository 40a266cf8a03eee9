-- Queues: their limits, what was started for their rates, and where a run stands in its queue.

create table queues (
    name text collate "C" primary key,
    concurrency bigint,
    per_executor bigint,
    rate_count bigint,
    rate_period bigint,
    partition_concurrency bigint,
    partition_rate_count bigint,
    partition_rate_period bigint,
    paused boolean not null default false,
    served text collate "C" not null default '',
    created_at bigint not null,
    updated_at bigint not null
) with (fillfactor = 70);

-- Starts, for rates. A start is never given back, so this is a ledger; all else is counted from the runs. A run without a
-- partition key stands under the empty one.
create table queue_starts (
    queue text collate "C" not null,
    at bigint not null,
    partition_key text collate "C" not null,
    n bigint not null,
    primary key (queue, at, partition_key)
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

create index queue_starts_partition on queue_starts (queue, partition_key, at);

-- The order of arrival. A step is wide, so that one number gives a whole chunk of runs their places.
create sequence queue_seq increment by 1000;

alter table runs
    add column queue text collate "C",
    add column priority bigint not null default 0,
    add column partition_key text collate "C",
    add column dedup text collate "C",
    add column seq bigint,
    add column gather text collate "C",
    add column gather_until bigint,
    add column gathered bigint;

-- All that were ever in a queue, for lists.
create index runs_queue on runs (queue, run_key) where queue is not null;

-- Who waits in a queue, in the order in which they are taken.
create index runs_queued on runs (queue, priority, seq) where status = 'enqueued' and queue is not null;

-- The same by partition, for those that have one.
create index runs_queued_partition on runs (queue, partition_key, priority, seq)
where status = 'enqueued' and partition_key is not null;

-- Who takes a slot: what runs, parked or not, and what an executor has not let go of yet.
create index runs_slots on runs (queue, partition_key)
where queue is not null and (status = 'running' or executor is not null);

-- What enters its queue later.
create index runs_queued_later on runs (ready_at) where status = 'delayed' and queue is not null;

create unique index runs_dedup on runs (queue, dedup)
where dedup is not null and status in ('delayed', 'enqueued', 'running', 'paused');

-- The one run of a workflow and a key that still gathers inputs.
create unique index runs_gathering on runs (workflow, gather) where gather is not null and status = 'delayed';
