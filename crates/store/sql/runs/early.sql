-- A run that started, by the clock of its executor, more than a minute before it was created by that of whoever did. In the order
-- of an index that has no others: without it PostgreSQL expects to find one soon, and looks through all.
select run_key
from runs
where started_at < created_at - 60000000
order by run_key
limit 1
