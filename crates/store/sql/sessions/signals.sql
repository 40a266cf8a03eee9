-- Set up the session that sends and receives signals about commits. A signal is not worth a flush to disk: a process that
-- misses one finds the change by its sweep.
set synchronous_commit = off;
set statement_timeout = '5s';
