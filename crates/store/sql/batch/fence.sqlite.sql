-- Move the fence from the previous batch to this one. If no row matches, the executor was declared dead or another session
-- wrote this batch.
update fences
set batch = $2
where executor = $1 and shard = 0 and batch = $2 - 1 and not dead
