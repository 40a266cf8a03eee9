-- Queues: their limits, what was started for their rates, and where a run stands in its queue.

create table queues (
    name text primary key,
    concurrency integer,
    per_executor integer,
    rate_count integer,
    rate_period integer,
    partition_concurrency integer,
    partition_rate_count integer,
    partition_rate_period integer,
    paused integer not null default 0,
    served text not null default '',
    created_at integer not null,
    updated_at integer not null
) without rowid;

-- Starts, for rates. A start is never given back, so this is a ledger; all else is counted from the runs. A run without a
-- partition key stands under the empty one.
create table queue_starts (
    queue text not null,
    at integer not null,
    partition_key text not null,
    n integer not null,
    primary key (queue, at, partition_key)
) without rowid;

create index queue_starts_partition on queue_starts (queue, partition_key, at);

-- The order of arrival. A step is wide, so that one number gives a whole chunk of runs their places.
create table queue_seq (last integer not null);

insert into queue_seq (last) values (0);

alter table runs add column queue text;
alter table runs add column priority integer not null default 0;
alter table runs add column partition_key text;
alter table runs add column dedup text;
alter table runs add column seq integer;
alter table runs add column gather text;
alter table runs add column gather_until integer;
alter table runs add column gathered integer;

-- All that were ever in a queue, for lists.
create index runs_queue on runs (queue) where queue is not null;

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
