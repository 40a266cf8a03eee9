-- Give a fork the hooks of a run that has ended, as far as it has the calls that opened them.
update hooks
set run_key = $2
where run_key = $1 and position in (select position from checkpoints where run_key = $2)
