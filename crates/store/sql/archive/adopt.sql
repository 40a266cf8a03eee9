-- Attach children to their imported parent. They were imported before it, or stayed when it was deleted: they name its old key
-- $2, and its key is now $1. Of several copies of one child, attach the one with the greatest key, as `find_child` does.
update runs
set parent_key = $1
where parent_key = $2
    and not exists (select 1 from runs as there where there.run_key = $2)
    and not exists (
        select 1
        from runs as later
        where later.parent_key = $2 and later.parent_position = runs.parent_position and later.run_key > runs.run_key
    )
