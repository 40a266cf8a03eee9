-- Declare every executor dead: whoever asks has the lock that only one executor of a file can have.
update executors
set dead = true
where not dead
