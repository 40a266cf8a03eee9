-- Create the fence of a new executor, before its first batch. The writer's session sets its own pid when it opens.
insert into fences (executor, shard, batch, dead, backend_pid)
values ($1, 0, 0, false, null)
on conflict (executor, shard) do nothing
