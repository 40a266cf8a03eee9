-- Limit lock waits in this transaction. A session that waits for a lock on a table blocks every session behind it.
select set_config('lock_timeout', $1, true) as setting
