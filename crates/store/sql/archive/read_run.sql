-- Read a run for export: everything about the run itself, and nothing about its owner. A run that was to start later includes
-- that time. The keys identify the run and its parent in another file or database.
select r.id, r.workflow, r.version, r.status, r.said, r.owners, r.recoveries_max, r.created_at, r.updated_at, r.started_at,
    r.finished_at, r.timeout, r.deadline, r.input_hash, r.identity, r.attributes,
    r.queue, nullif(r.priority, 0) as priority, r.partition_key, r.dedup,
    coalesce(r.held_until, case when r.status in ('delayed', 'paused') then r.ready_at end) as ready_at,
    coalesce(r.input, (select body from payloads where run_key = r.run_key and kind = 'input')) as input,
    coalesce(r.output, (select body from payloads where run_key = r.run_key and kind = 'output')) as output,
    coalesce(r.error, (select body from payloads where run_key = r.run_key and kind = 'error')) as error,
    r.run_key as key, r.parent_key as parent, r.parent_position, r.steered_with, r.steered_from,
    r.generation, r.first_position, r.steered, r.paused_with, r.retry, r.retrying, r.on_parent_end
from runs r
where r.run_key = $1
