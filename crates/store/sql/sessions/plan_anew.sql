-- Plan the statements of this transaction when their parameters are known. SQLite has no such thing.
select set_config('plan_cache_mode', 'force_custom_plan', true) as setting
