-- Record that runs of a queue were started.
insert into queue_starts (queue, at, partition_key, n)
values ($1, $2, $3, $4)
on conflict (queue, at, partition_key) do update set n = queue_starts.n + excluded.n
