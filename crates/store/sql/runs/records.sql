-- Read everything about these runs; inputs only if $2 is true, outputs only if $3 is.
select r.run_key, r.id, r.workflow, r.version, r.status, r.said, r.steered, r.executor, r.last_executor, r.origin, r.revoked,
    coalesce(r.ready_at, case when r.status = 'paused' then r.held_until end) as ready_at, r.owners,
    r.recoveries, r.recoveries_max, r.recover_at, r.retry, r.retrying, r.on_parent_end,
    r.parent_key, r.parent_position, r.created_at, r.updated_at, r.started_at,
    r.finished_at, r.timeout, r.deadline, r.identity, r.attributes, r.fork_position,
    r.queue, r.priority, r.partition_key, r.dedup, r.generation,
    (select id from runs where run_key = r.parent_key) as parent_id,
    (select id from runs where run_key = r.forked_from) as forked_from_id,
    case when $2 then coalesce(r.input, (select body from payloads where run_key = r.run_key and kind = 'input')) end
        as input,
    case when $3 then coalesce(r.output, (select body from payloads where run_key = r.run_key and kind = 'output')) end
        as output,
    coalesce(r.error, (select body from payloads where run_key = r.run_key and kind = 'error')) as error
from runs r
where r.run_key = any($1)
