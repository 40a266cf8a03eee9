-- What was started of a queue from $2 to $3, by partition: how many, when the last of them, and in how many rows that stands.
select partition_key, cast(sum(n) as bigint) as n, max(at) as at, count(*) as rows
from queue_starts
where queue = $1 and at >= $2 and at < $3
group by partition_key
