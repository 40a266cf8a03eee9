-- Register an executor. Its id is never reused: if the row already exists, only the answer was lost.
insert into executors (executor, beat, dead, host, pid, workflows, started_at, lease)
values ($1, 0, false, $2, $3, $4, $5, $6)
on conflict (executor) do nothing
