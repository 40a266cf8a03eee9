-- From here on no batch of a dead executor can be committed.
update fences
set dead = true
where not dead and executor in (select executor from executors where dead)
