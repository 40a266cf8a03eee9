-- Count the runs that wait in the queue of run $1 before it, up to $2.
select count(*) as n
from (
    select 1
    from runs as mine
    join runs as other on other.queue = mine.queue and other.status = 'enqueued' and other.executor is null
        and (other.priority, other.seq) < (mine.priority, mine.seq)
    where mine.run_key = $1
    limit $2
) as ahead
