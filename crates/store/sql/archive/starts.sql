-- Make the recorded start of a child name the child's new key.
update checkpoints
set output = $3
where run_key = $1 and position = $2
