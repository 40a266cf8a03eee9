-- List open hooks with their runs; the order and the limit are appended. A filter that is null accepts every hook. A run that
-- was cancelled keeps its hooks, which are open again if it is resumed.
-- Differs from SQLite in naming the types of parameters.
select h.token, h.position, h.opened_at, h.person, r.id, r.workflow, r.status,
    (
        select w.since
        from waits w
        where w.run_key = h.run_key and w.kind in ('message', 'person')
            and w.topic = 'onward:hook/' || h.position || '/' || h.token
        order by w.position
        limit 1
    ) as waits_since,
    (
        select w.due_at
        from waits w
        where w.run_key = h.run_key and w.kind in ('message', 'person')
            and w.topic = 'onward:hook/' || h.position || '/' || h.token
        order by w.position
        limit 1
    ) as until
from hooks h
cross join runs r
where h.ended = false and r.run_key = h.run_key and r.status in ('delayed', 'enqueued', 'running', 'paused')
    and ($1::bigint is null or (h.opened_at, h.token) < ($1::bigint, $2::text))
    and ($3::bigint is null or (h.opened_at, h.token) > ($3::bigint, $4::text))
    and ($5::uuid is null or h.run_key = $5::uuid)
    and ($6::text is null or h.token >= $6::text)
    and ($7::text is null or h.token < $7::text)
    and ($8::boolean is null or h.person is not null)
