-- Read the epoch, and what can be seen now.
select epoch, pg_current_snapshot()::text as upto
from feed
