-- Every executor that has not left, and how often it has said that it lives.
select executor, beat, dead, host, pid, workflows, started_at, lease
from executors
order by started_at, executor
