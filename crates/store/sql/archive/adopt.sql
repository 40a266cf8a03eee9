-- Children that came before their parent, or stayed when it was deleted, are those of the run $1, which had the key $2. Of several
-- copies of one child it is the one with the last key, as in `find_child`.
update runs
set parent_key = $1
where parent_key = $2
    and not exists (select 1 from runs as there where there.run_key = $2)
    and not exists (
        select 1
        from runs as later
        where later.parent_key = $2 and later.parent_position = runs.parent_position and later.run_key > runs.run_key
    )
