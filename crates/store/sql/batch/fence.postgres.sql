-- Move the fence from the batch before to this one, or raise: a division by zero says that the executor was declared dead
-- or that this batch stands already. An update that merely found no row would let the rest of the pipeline be committed.
with moved as (
    update fences
    set batch = $2::bigint, busy = null
    where executor = $1 and shard = 0 and batch = $2::bigint - 1 and not dead
    returning batch
)
select 1 / count(*) as moved
from moved
