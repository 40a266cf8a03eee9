-- Find when the next delayed run enters its queue.
select min(ready_at) as ready_at
from runs
where status = 'delayed' and queue is not null
