-- End the epoch, because nobody follows: its cursors are void, and its changes may be deleted.
update feed
set epoch = null, pruned = pg_current_snapshot()::text
