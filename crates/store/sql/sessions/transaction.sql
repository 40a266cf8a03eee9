-- Set up sessions for transactions of users. A transaction that waits too long for a row fails and is retried; one whose
-- process froze in the middle, or stays idle for too long, loses its locks.
set lock_timeout = '5s';
set statement_timeout = '60s';
set idle_in_transaction_session_timeout = '5s';
