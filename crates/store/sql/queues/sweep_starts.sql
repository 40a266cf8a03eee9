-- Delete starts that no rate of their queue counts any more, and those up to $2 of deleted queues.
delete from queue_starts
where case
    when exists (select 1 from queues where queues.name = queue_starts.queue) then not exists (
        select 1
        from queues
        where queues.name = queue_starts.queue
            and (queue_starts.at > $1 - coalesce(rate_period, 0) or queue_starts.at > $1 - coalesce(partition_rate_period, 0))
            and (rate_period is not null or partition_rate_period is not null)
    )
    else queue_starts.at <= $2
end
