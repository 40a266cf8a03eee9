-- List open hooks with their runs; the order and the limit are appended. A filter that is null accepts every hook. A run that
-- was cancelled keeps its hooks, which are open again if it is resumed.
-- Differs from PostgreSQL: no types of parameters, and a `cross join` keeps the planner from beginning with all runs.
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
    and ($1 is null or (h.opened_at, h.token) < ($1, $2))
    and ($3 is null or (h.opened_at, h.token) > ($3, $4))
    and ($5 is null or h.run_key = $5)
    and ($6 is null or h.token >= $6)
    and ($7 is null or h.token < $7)
    and ($8 is null or h.person is not null)
