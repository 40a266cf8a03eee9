-- Relink runs that were cancelled with the run whose key was $2 to its new key $1, so that they are resumed with it.
update runs
set steered_with = $1
where steered_with = $2 and not exists (select 1 from runs as there where there.run_key = $2)
