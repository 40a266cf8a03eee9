-- List the sleeps of an executor's runs that were ended early.
select waits.run_key, waits.position
from waits
join runs on runs.run_key = waits.run_key
where waits.woken = true and runs.executor = $1
