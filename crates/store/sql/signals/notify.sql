-- Notify other processes of what was committed before. It runs in a transaction of its own, because a commit that notifies
-- holds a lock shared by the whole server. SQLite has no notifications; processes poll instead.
select pg_notify('onward', signal) as told
from unnest($1::text[]) as given (signal)
