-- The session that commits batches. A process that was frozen in the middle of one holds its fence for a third of a lease at
-- the most. Its statements join a handful of arrays with tables by their keys: a plan that was made while the tables were
-- empty must not read them whole later.
set statement_timeout = '30s';
set idle_in_transaction_session_timeout = '1600ms';
set plan_cache_mode = 'force_generic_plan';
set enable_seqscan = off;
set enable_hashjoin = off;
set enable_mergejoin = off;
