-- Begin an epoch: from now on every change is recorded.
update feed
set epoch = $1, pruned = null
