-- This session writes for the executor from now on. The update waits for a session that may still be writing a batch, and
-- then gives the number of the last one that stands.
update fences
set backend_pid = pg_backend_pid()
where executor = $1 and shard = 0
returning batch, dead, busy
