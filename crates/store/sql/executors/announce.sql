-- Announce the workflows of an executor, which was given another one. No row matches if it was declared dead and forgotten.
update executors
set workflows = $2
where executor = $1
