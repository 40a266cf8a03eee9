-- Find a run that started, by its executor's clock, more than a minute before it was created, by its creator's clock. The order
-- is that of an index of only such runs: without it PostgreSQL expects to find one soon, and scans all runs.
select run_key
from runs
where started_at < created_at - 60000000
order by run_key
limit 1
