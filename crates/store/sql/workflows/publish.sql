-- Publish a version of a workflow, with the schemas that its executor has now.
insert into workflows (name, version, input_schema, output_schema, updated_at)
values ($1, $2, $3, $4, $5)
on conflict (name, version) do update
set input_schema = excluded.input_schema, output_schema = excluded.output_schema, updated_at = excluded.updated_at
