-- Pause or resume a queue that is not in that state already.
update queues
set paused = $2, updated_at = $3, steered = $4
where name = $1 and paused <> $2
