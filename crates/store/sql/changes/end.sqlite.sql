-- End the epoch, because nobody follows: its cursors are void, and its changes may be deleted.
update feed
set epoch = null, pruned = (select cast(coalesce(max(seq), 0) as text) from changes)
