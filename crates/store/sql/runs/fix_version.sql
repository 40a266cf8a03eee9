-- Runs that were just claimed get the version that their owner has.
update runs
set version = $2
where run_key = any($1) and version = ''
