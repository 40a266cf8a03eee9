-- Sum up the starts of a queue from $2 to $3 by partition: how many, the time of the last, and how many rows record them.
select partition_key, cast(sum(n) as bigint) as n, max(at) as at, count(*) as rows
from queue_starts
where queue = $1 and at >= $2 and at < $3
group by partition_key
