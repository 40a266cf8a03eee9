-- Sleeps of an executor's runs that somebody ended.
select waits.run_key, waits.position
from waits
join runs on runs.run_key = waits.run_key
where waits.woken = true and runs.executor = $1
