-- Make this session the writer of the executor. The update waits for a session that may still be writing a batch, and then
-- returns the number of the last committed batch.
update fences
set backend_pid = pg_backend_pid()
where executor = $1 and shard = 0
returning batch, dead, busy
