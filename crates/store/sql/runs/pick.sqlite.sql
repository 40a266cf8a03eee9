-- Select the keys of runs; the order and the limit are appended. A filter that is null accepts every run: its clause is left
-- out before the statement is planned, and one that is not null can use its index.
-- Differs from PostgreSQL: SQLite has no JSON containment, indexed states must be named as in the index, and runs that started
-- within a time are looked up by start time only where they are known to be few ($29, $30).
select r.run_key
from runs r
where r.run_key is not null
    and ($1 is null or r.run_key < $1)
    and ($2 is null or r.run_key > $2)
    and ($3 is null or r.id = any($3))
    and ($4 is null or r.id >= $4)
    and ($5 is null or r.id < $5)
    and ($6 is null or r.status = any($6))
    and ($7 is null or r.status <> 'succeeded')
    and ($8 is null or r.workflow = any($8))
    and ($9 is null or r.version = any($9))
    and ($10 is null or (r.identity is not null and r.identity ->> 'user' = $10))
    and ($11 is null or r.executor = $11)
    and ($12 is null or r.parent_key = (select run_key from runs where id = $12))
    and ($13 is null or r.forked_from = (select run_key from runs where id = $13))
    and ($14 is null or (r.attributes is not null and not exists (
        select 1
        from json_each($14) as asked
        where not exists (
            select 1
            from json_each(r.attributes) as has
            where has.key = asked.key and has.value is asked.value
                and replace(has.type, 'real', 'integer') = replace(asked.type, 'real', 'integer')
        )
    )))
    and ($15 is null or r.created_at >= $15)
    and ($16 is null or r.created_at < $16)
    and ($17 is null or +r.started_at >= $17)
    and ($18 is null or +r.started_at < $18)
    and ($19 is null or r.finished_at >= $19)
    and ($20 is null or r.finished_at < $20)
    and ($21 is null or r.queue = $21)
    and ($22 is null or (r.queue is not null and r.status in ('delayed', 'enqueued', 'running', 'paused')))
    and ($23 is null or (r.parent_key is not null) = $23)
    and ($24 is null or r.forked_from is not null)
    and ($25 is null or r.forked_from is null)
    and ($26 is null or r.run_key in (select forked_from from runs where forked_from is not null))
    and ($27 is null or not exists (select 1 from runs as fork where fork.forked_from = r.run_key))
    and ($28 is null or r.version <> '1')
    and ($29 is null or r.started_at >= $29)
    and ($30 is null or r.started_at < $30)
    and ($31 is null or (+r.status = 'running' and r.run_key = any($31)))
    and ($32 is null or (+r.status = 'running' and exists (
        select 1
        from waits w
        where w.run_key = r.run_key and w.kind = any($32) and ($33 is null or w.topic = $33)
            and ($34 is null or (w.topic like 'onward:hook/%') = $34)
    )))
    and ($35 is null or (r.status = 'enqueued' and r.queue is not null and r.executor is null))
    and ($36 is null or (+r.executor is null and +r.ready_at <= $36
        and (+r.status = 'running' or (r.queue is null and +r.status in ('enqueued', 'delayed')))))
    and ($37 is null or r.run_key = any($37))
