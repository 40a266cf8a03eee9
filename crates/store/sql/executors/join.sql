-- A new life of an executor.
insert into executors (executor, beat, dead, host, pid, workflows, started_at)
values ($1, 0, false, $2, $3, $4, $5)
