-- Publish the schemas of a step, unless they are known.
insert into workflow_steps (workflow, version, step, input_schema, output_schema)
values ($1, $2, $3, $4, $5)
on conflict (workflow, version, step) do update
set input_schema = excluded.input_schema, output_schema = excluded.output_schema
where workflow_steps.input_schema is distinct from excluded.input_schema
    or workflow_steps.output_schema is distinct from excluded.output_schema
