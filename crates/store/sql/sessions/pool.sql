-- Set up sessions for transactions outside the journal, which are short. A transaction that waits too long for a row fails and
-- is retried; one whose process froze in the middle loses its locks.
set lock_timeout = '1s';
set statement_timeout = '30s';
set idle_in_transaction_session_timeout = '5s';
