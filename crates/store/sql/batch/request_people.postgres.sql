-- Record what people have to do for calls that wait for them. The code that executes a run may say it in other words than the
-- code before it.
insert into person_requests (run_key, position, title, schema)
select run_key, position, title, schema
from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[]) as new (run_key, position, title, schema)
where run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
on conflict (run_key, position) do update set title = excluded.title, schema = excluded.schema
where person_requests.title <> excluded.title or person_requests.schema is distinct from excluded.schema
