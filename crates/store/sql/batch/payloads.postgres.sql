-- Put payloads that are too long for a run's row beside it: inputs of runs that were created, and outcomes of runs that
-- have ended by now. Those of runs that were refused or busy are not written.
insert into payloads (run_key, kind, body)
select new.run_key, new.kind, new.body
from unnest($1::uuid[], $2::text[], $3::text[]) as new (run_key, kind, body)
join runs on runs.run_key = new.run_key
where new.kind = 'input' or runs.status in ('succeeded', 'failed')
on conflict (run_key, kind) do update set body = excluded.body
