-- Record the partition that was served last: the next turn begins after it.
update queues
set served = $2
where name = $1
