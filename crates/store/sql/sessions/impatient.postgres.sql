-- Limit lock waits in this transaction to little more than the time of a commit: a sweep skips rows that others have locked and
-- comes back to them.
select set_config('lock_timeout', '250ms', true) as setting
