-- What was started of a queue from $2 to $3 is folded: drop it.
delete from queue_starts
where queue = $1 and at >= $2 and at < $3
