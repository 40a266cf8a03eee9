-- Forget starts that no rate looks at any more.
delete from queue_starts
where queue = $1 and at <= $2
