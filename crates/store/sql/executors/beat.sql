-- Record a heartbeat of an executor. If no row matches, it was declared dead.
update executors
set beat = beat + 1
where executor = $1 and not dead
