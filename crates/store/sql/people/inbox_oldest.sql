-- List the calls of running runs that wait for a person. Longest waiting first, after the wait ($1, $2, $3); only those
-- that began at $4 or later and before $5 and, unless $6, of the workflows in $7. The `cross join` keeps SQLite from beginning
-- with all runs.
select w.run_key, w.position, w.kind, w.name, w.due_at, w.topic, w.since, r.id, r.workflow, p.title, p.schema,
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
cross join runs r
left join person_requests p on p.run_key = w.run_key and p.position = w.position
where w.kind = 'person' and (w.since, w.run_key, w.position) > ($1, $2, $3) and w.since >= $4 and w.since < $5
    and r.run_key = w.run_key and r.status = 'running' and ($6 or r.workflow = any($7))
order by w.since, w.run_key, w.position
limit $8
