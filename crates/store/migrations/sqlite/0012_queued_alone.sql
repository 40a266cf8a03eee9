-- A queue with limits by partition finds those that wait without one, however many wait with one.

create index runs_queued_alone on runs (queue, priority, seq)
where status = 'enqueued' and queue is not null and partition_key is null;
