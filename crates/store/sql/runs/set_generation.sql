-- Put a fork into the generation of the run that it is made of.
update runs
set generation = $2, first_position = $3
where run_key = $1
