-- Find the time of the last recorded start of a queue.
select max(at) as at
from queue_starts
where queue = $1
