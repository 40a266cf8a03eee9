-- All that is known of one run.
select r.run_key, r.id, r.workflow, r.version, r.status, r.said, r.executor, r.revoked, r.ready_at, r.owners,
    r.recoveries, r.recoveries_max, r.parent_key, r.parent_position, r.created_at, r.updated_at, r.started_at,
    r.finished_at, r.timeout, r.deadline, r.identity, r.attributes,
    (select id from runs where run_key = r.parent_key) as parent_id,
    coalesce(r.input, (select body from payloads where run_key = r.run_key and kind = 'input')) as input,
    coalesce(r.output, (select body from payloads where run_key = r.run_key and kind = 'output')) as output,
    coalesce(r.error, (select body from payloads where run_key = r.run_key and kind = 'error')) as error
from runs r
where r.id = $1
