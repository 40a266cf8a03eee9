-- The session that hears and tells what was committed. What it tells is worth no flush to the disk: who misses it looks.
set synchronous_commit = off;
set statement_timeout = '5s';
