-- Find no runs: SQLite has no index on the values of attributes. Not used.
select run_key
from runs
where $1 is null and $2 is null and false
