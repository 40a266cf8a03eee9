-- Stop all further batches of this executor if it is dead. Fences of other executors are not read: they may be locked.
update fences
set dead = true
where executor = $1 and not dead and executor in (select executor from executors where dead)
