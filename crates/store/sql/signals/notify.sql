-- Tell other processes of what was committed before. Alone in its transaction: a commit that notifies holds a lock that all of
-- the server share. SQLite has no such thing; there they look.
select pg_notify('onward', signal) as told
from unnest($1::text[]) as given (signal)
