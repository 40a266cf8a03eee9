-- Plan the statements of this transaction when their parameters are known. SQLite has no such setting.
select set_config('plan_cache_mode', 'force_custom_plan', true) as setting
