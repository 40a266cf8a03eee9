-- From here on no batch of this executor can be committed, if it is dead. No fence of another is looked at: it may be locked.
update fences
set dead = true
where executor = $1 and not dead and executor in (select executor from executors where dead)
