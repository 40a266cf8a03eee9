-- Pause a queue, or let it go on.
update queues
set paused = $2, updated_at = $3
where name = $1
