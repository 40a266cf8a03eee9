-- Create the fence of a new executor, before its first batch.
insert into fences (executor, shard, batch, dead)
values ($1, 0, 0, false)
on conflict (executor, shard) do nothing
