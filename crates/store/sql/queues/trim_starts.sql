-- Delete starts that no rate counts any more.
delete from queue_starts
where queue = $1 and at <= $2
