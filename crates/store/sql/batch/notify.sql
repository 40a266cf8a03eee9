-- Tell other processes, once this batch is committed.
select pg_notify('onward', signal) as told
from unnest($1::text[]) as given (signal)
