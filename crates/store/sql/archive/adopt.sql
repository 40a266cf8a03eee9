-- Children that came before their parent, or stayed when it was deleted, are those of the run $1, which had the key $2.
update runs
set parent_key = $1
where parent_key = $2 and not exists (select 1 from runs as there where there.run_key = $2)
