-- Stop all further batches of dead executors.
update fences
set dead = true
where not dead and executor in (select executor from executors where dead)
