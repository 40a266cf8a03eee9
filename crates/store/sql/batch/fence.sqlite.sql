-- Move the fence from the batch before to this one. No row: the executor was declared dead, or somebody else wrote this batch.
update fences
set batch = $2
where executor = $1 and shard = 0 and batch = $2 - 1 and not dead
