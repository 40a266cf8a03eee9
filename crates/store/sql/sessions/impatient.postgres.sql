-- Wait for nobody's lock in this transaction, but for one that is held no longer than a commit takes: who sweeps steps over what
-- others hold, and comes back to it.
select set_config('lock_timeout', '250ms', true) as setting
