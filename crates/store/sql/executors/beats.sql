-- The signs of life of all executors, and what time it is on the server. On PostgreSQL alone: a SQLite file has one executor, and
-- the clock of its machine.
select executor, beat, dead, lease, (extract(epoch from clock_timestamp()) * 1000000)::bigint as at
from executors
