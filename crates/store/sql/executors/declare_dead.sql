-- Declare an executor dead, unless its heartbeat has changed since it was read.
update executors
set dead = true
where executor = $1 and beat = $2 and not dead
