-- List the waits of these runs as people see them: with what a person has to do, the state of a child, and the refused messages
-- on the topics that they wait for: how many, and why the last one was refused.
select w.run_key, w.position, w.kind, w.name, w.due_at, w.child_key, w.topic, w.target, w.since,
    child.id as child_id, child.status as child_status, p.title, p.schema,
    (
        select count(*)
        from messages m
        where m.run_key = w.run_key and m.topic = w.topic and m.refused is not null and m.consumed_by is null
    ) as refused,
    (
        select m.refused
        from messages m
        where m.run_key = w.run_key and m.topic = w.topic and m.refused is not null and m.consumed_by is null
        order by m.seq desc
        limit 1
    ) as refused_last
from waits w
left join runs as child on child.run_key = w.child_key
left join person_requests p on p.run_key = w.run_key and p.position = w.position and w.kind = 'person'
where w.run_key = any($1)
order by w.run_key, w.position
