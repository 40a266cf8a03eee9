-- Transactions of users. One that waits for a row gives up and is tried again, and one whose process froze in the middle, or
-- that does something else for so long, lets go of its locks.
set lock_timeout = '5s';
set statement_timeout = '60s';
set idle_in_transaction_session_timeout = '5s';
