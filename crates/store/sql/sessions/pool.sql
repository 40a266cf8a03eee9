-- Transactions outside the journal are short. One that waits for a row gives up and is tried again, and one whose process
-- froze in the middle lets go of its locks.
set lock_timeout = '1s';
set statement_timeout = '30s';
set idle_in_transaction_session_timeout = '5s';
