-- Forget starts that no rate of their queue looks at any more, and those by $2 of queues that are gone.
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
