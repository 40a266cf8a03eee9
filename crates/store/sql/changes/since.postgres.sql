-- Read up to $4 changes that could not be seen in the snapshot $1: those that can be seen in $2, or now if it is null, from a
-- number on. There is always a row: it says whether all of them are still there. They are not if changes were deleted that $1 does
-- not contain, or if $1 is of another epoch ($5) or of the future.
-- Differs from SQLite: numbers are not in the order of commits.
select feed.epoch is not distinct from $5
    and pg_snapshot_xmax(place.seen) <= pg_snapshot_xmax(pg_current_snapshot())
    and (feed.pruned is null or (
        pg_snapshot_xmax(feed.pruned::pg_snapshot) <= pg_snapshot_xmax(place.seen)
        and not exists (
            select 1
            from pg_snapshot_xip(place.seen) as unseen (xid)
            where pg_visible_in_snapshot(unseen.xid, feed.pruned::pg_snapshot)
        )
    )) as is_complete,
    place.upto::text as upto,
    found.seq, found.run_key, found.id, found.workflow, found.version, found.status, found.updated_at
from feed
cross join lateral (
    select $1::text::pg_snapshot as seen, coalesce($2::text::pg_snapshot, pg_current_snapshot()) as upto
) as place
left join lateral (
    select seq, run_key, id, workflow, version, status, updated_at
    from changes
    where xid >= pg_snapshot_xmin(place.seen)
        and not pg_visible_in_snapshot(xid, place.seen)
        and pg_visible_in_snapshot(xid, place.upto)
        and seq > $3
    order by seq
    limit $4
) as found on true
