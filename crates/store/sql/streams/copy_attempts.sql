-- Give a fork the attempts of the steps that appended what it has: by them readers know which chunks stay.
insert into attempts (run_key, position, attempt, name, started_at, finished_at, error)
select $2, a.position, a.attempt, a.name, a.started_at, a.finished_at, a.error
from attempts a
where a.run_key = $1 and exists (select 1 from streams s where s.run_key = $2 and s.position = a.position)
