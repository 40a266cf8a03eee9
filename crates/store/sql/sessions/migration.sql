-- The session that brings the schema up to date. To build an index takes as long as the table is large; who waits for a lock, though,
-- is waited for by all who come after him, so that is done in short bites.
set statement_timeout = 0;
set lock_timeout = '2s';
set idle_in_transaction_session_timeout = '60s';
