-- One of many runs that somebody is about to steer, locked until that is done.
select run_key, id, status, executor, revoked, queue
from runs
where run_key = $1
for no key update
