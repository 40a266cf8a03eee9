-- Note up to where changes may be deleted.
update feed
set pruned = $1
