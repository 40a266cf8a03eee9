-- Declare an executor dead, unless it has said that it lives since the beat that was seen.
update executors
set dead = true
where executor = $1 and beat = $2 and not dead
