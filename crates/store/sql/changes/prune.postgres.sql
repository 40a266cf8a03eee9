-- Delete up to $1 changes that no cursor needs.
delete from changes
where seq in (
    select c.seq
    from changes c
    cross join (select pruned::pg_snapshot as pruned from feed) as f
    where c.xid < pg_snapshot_xmax(f.pruned) and pg_visible_in_snapshot(c.xid, f.pruned)
    limit $1
)
