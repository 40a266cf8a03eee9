-- Delete up to $1 changes that no cursor needs.
delete from changes
where seq in (
    select seq
    from changes
    where seq <= (select cast(pruned as integer) from feed)
    order by seq
    limit $1
)
