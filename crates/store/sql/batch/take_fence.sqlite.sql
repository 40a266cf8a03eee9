-- The number of the last batch that stands. The lock waits for a session that may still be writing one.
select batch, dead
from fences
where executor = $1 and shard = 0
for update
