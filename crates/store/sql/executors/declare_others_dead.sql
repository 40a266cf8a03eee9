-- Declare every executor dead. The caller holds the lock that only one executor of a file can hold.
update executors
set dead = true
where not dead
