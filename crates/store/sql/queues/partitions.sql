-- List the next $3 partitions of a queue that have waiting runs, after key $2. It jumps from key to key, however many runs wait
-- in each.
with recursive waiting (partition_key, place) as (
    select (
        select min(partition_key)
        from runs
        where queue = $1 and status = 'enqueued' and partition_key is not null and partition_key > $2
    ), 1
    union all
    select (
        select min(runs.partition_key)
        from runs
        where runs.queue = $1 and runs.status = 'enqueued' and runs.partition_key is not null
            and runs.partition_key > waiting.partition_key
    ), place + 1
    from waiting
    where partition_key is not null and place < $3
)
select partition_key
from waiting
where partition_key is not null
order by place
