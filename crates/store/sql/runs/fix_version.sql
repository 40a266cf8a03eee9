-- Set the version of runs that were just claimed to the one that their owner has.
update runs
set version = $2
where run_key = any($1) and version = ''
