-- Delete the starts of a queue from $2 to $3, which have been folded.
delete from queue_starts
where queue = $1 and at >= $2 and at < $3
