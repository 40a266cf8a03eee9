-- Tell other processes, once this transaction is committed. SQLite has no such thing; there they look.
select pg_notify('onward', $1) as told
