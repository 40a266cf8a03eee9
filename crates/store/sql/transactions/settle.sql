-- Wait until no transaction of a run is open any more.
select run_key
from runs
where run_key = $1
for update
