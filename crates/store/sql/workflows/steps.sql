-- List what is known of the steps of workflows.
select workflow, version, step, input_schema, output_schema
from workflow_steps
order by workflow, version, step
