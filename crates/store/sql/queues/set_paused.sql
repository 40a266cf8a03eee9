-- Pause or resume a queue.
update queues
set paused = $2, updated_at = $3
where name = $1
