-- Count the starts of a queue since $2, and find the first and the last.
select cast(coalesce(sum(n), 0) as bigint) as n, min(at) as first, max(at) as last
from queue_starts
where queue = $1 and at > $2
