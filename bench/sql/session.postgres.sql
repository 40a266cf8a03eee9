-- As for the session of an executor: plans that were made while the tables were empty must not read them whole later.
set jit = off;
set plan_cache_mode = 'force_generic_plan';
set enable_seqscan = off;
set enable_hashjoin = off;
set enable_mergejoin = off;
