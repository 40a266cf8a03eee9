-- Read the heartbeats of all executors and the server's time. PostgreSQL only: a SQLite file has one executor, which uses its
-- machine's clock.
select executor, beat, dead, lease, (extract(epoch from clock_timestamp()) * 1000000)::bigint as at
from executors
