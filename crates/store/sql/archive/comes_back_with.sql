-- Runs that were cancelled with the run $1, which had the key $2, come back with it.
update runs
set steered_with = $1
where steered_with = $2 and not exists (select 1 from runs as there where there.run_key = $2)
