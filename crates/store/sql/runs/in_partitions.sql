-- Find up to $2 runs of these partitions.
select run_key
from runs
where partition_key = any($1) and partition_key is not null
limit $2
