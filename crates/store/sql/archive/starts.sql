-- The start of a child is that of the child under its new key.
update checkpoints
set output = $3
where run_key = $1 and position = $2
