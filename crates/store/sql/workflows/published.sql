-- List what executors published of their workflows.
select name, version, input_schema, output_schema, updated_at
from workflows
order by name, version
