-- When the last start of a queue was noted.
select max(at) as at
from queue_starts
where queue = $1
