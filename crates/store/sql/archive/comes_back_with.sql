-- Relink runs that were cancelled or paused with the run whose key was $2 to its new key $1, so that they are resumed with it.
update runs
set steered_with = case when steered_with = $2 then $1 else steered_with end,
    paused_with = case when paused_with = $2 then $1 else paused_with end
where (steered_with = $2 or paused_with = $2) and not exists (select 1 from runs as there where there.run_key = $2)
