-- A page of runs, oldest first. A filter that is null lets everything through.
select r.run_key, r.id, r.workflow, r.version, r.status, r.said, r.executor, r.revoked, r.ready_at, r.owners,
    r.recoveries, r.recoveries_max, r.parent_key, r.parent_position, r.created_at, r.updated_at, r.started_at,
    r.finished_at, r.timeout, r.deadline, r.identity, r.attributes,
    (select id from runs where run_key = r.parent_key) as parent_id,
    coalesce(r.input, (select body from payloads where run_key = r.run_key and kind = 'input')) as input,
    coalesce(r.output, (select body from payloads where run_key = r.run_key and kind = 'output')) as output,
    coalesce(r.error, (select body from payloads where run_key = r.run_key and kind = 'error')) as error
from runs r
where r.run_key > $1
    and r.status = any($2)
    and (cast($3 as text) is null or r.workflow = cast($3 as text))
    and (cast($4 as text) is null or substr(r.id, 1, length(cast($4 as text))) = cast($4 as text))
    and (cast($5 as text) is null or r.parent_key = (select run_key from runs where id = cast($5 as text)))
order by r.run_key
limit $6
