-- Read up to $4 changes after the number $1. There is always a row: it says whether all of them are still there. They are not if
-- changes after $1 were deleted, or if $1 is of another epoch ($5) or of the future.
-- Differs from PostgreSQL: numbers are in the order of commits, so $2 and $3 mean nothing.
select coalesce(feed.epoch = $5, false)
    and cast($1 as integer) <= coalesce((select seq from sqlite_sequence where name = 'changes'), 0)
    and cast(coalesce(feed.pruned, '0') as integer) <= cast($1 as integer) as is_complete,
    cast(coalesce((select seq from sqlite_sequence where name = 'changes'), 0) as text) as upto,
    found.seq, found.run_key, found.id, found.workflow, found.version, found.status, found.updated_at
from feed
left join (
    select seq, run_key, id, workflow, version, status, updated_at
    from changes
    where seq > cast($1 as integer)
    order by seq
    limit $4
) as found on true
