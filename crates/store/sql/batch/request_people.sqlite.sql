-- Record what a person has to do for a call that waits for one. The code that executes a run may say it in other words than the
-- code before it.
insert into person_requests (run_key, position, title, schema)
values ($1, $2, $3, $4)
on conflict (run_key, position) do update set title = excluded.title, schema = excluded.schema
where person_requests.title <> excluded.title or person_requests.schema is distinct from excluded.schema
