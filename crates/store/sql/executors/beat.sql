-- Say that the executor lives. No row: it was declared dead.
update executors
set beat = beat + 1
where executor = $1 and not dead
