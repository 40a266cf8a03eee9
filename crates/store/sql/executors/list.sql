-- List every executor that has not left, with its heartbeat.
select executor, beat, dead, host, pid, workflows, started_at, lease
from executors
order by started_at, executor
