-- Open the waits of calls with which runs paused themselves. Only for runs that have just left: if a row was busy, its run leaves
-- with the next batch, and its wait has to be opened with that one.
-- The state is compared as an expression: through the index of states, a plan made while there were few runs would read them all.
insert into waits (run_key, position, kind, name, since)
select new.run_key, new.position, new.kind, new.name, new.since
from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::bigint[]) as new (run_key, position, kind, name, since)
join runs on runs.run_key = new.run_key
where runs.status || '' = 'paused' and runs.executor is null
on conflict (run_key, position) do nothing
