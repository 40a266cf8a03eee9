-- Set up the session that commits batches. A process that freezes in the middle of one holds its fence for at most a third of a
-- lease. Its statements join small arrays with tables by key: a plan made while the tables were empty must not scan whole
-- tables later.
set statement_timeout = '30s';
set idle_in_transaction_session_timeout = '1600ms';
set plan_cache_mode = 'force_generic_plan';
set enable_seqscan = off;
set enable_hashjoin = off;
set enable_mergejoin = off;
