-- Set up the session that migrates the schema. Building an index takes long on a large table, so statements may take any time.
-- A session that waits for a lock, however, blocks every session behind it, so each wait is short and is retried.
set statement_timeout = 0;
set lock_timeout = '2s';
set idle_in_transaction_session_timeout = '60s';
