-- Move the hooks of an ended run to its fork, for the calls that the fork has.
update hooks
set run_key = $2, ended = false
where run_key = $1 and position in (select position from checkpoints where run_key = $2)
