-- Select the keys of runs; the order and the limit are appended. A filter that is null accepts every run: its clause is left
-- out before the statement is planned, and one that is not null can use its index.
-- Differs from PostgreSQL: SQLite has no JSON containment, indexed states must be named as in the index, and runs that started
-- or ended within a time are looked up by that time only where that is known to be fast ($35 to $38).
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
    and ($10 is null or r.version <> '1')
    and ($11 is null or (r.identity is not null and r.identity ->> 'user' = $11))
    and ($12 is null or (r.identity is not null and r.identity ->> 'user' = any($12)))
    and ($13 is null or r.executor = $13)
    and ($14 is null or r.executor = any($14))
    and ($15 is null or r.parent_key = (select run_key from runs where id = $15))
    and ($16 is null or r.forked_from = (select run_key from runs where id = $16))
    and ($17 is null or (r.attributes is not null and not exists (
        select 1
        from json_each($17) as asked
        where not exists (
            select 1
            from json_each(r.attributes) as has
            where has.key = asked.key and has.value is asked.value
                and replace(has.type, 'real', 'integer') = replace(asked.type, 'real', 'integer')
        )
    )))
    and ($18 is null or (r.attributes is not null and not exists (
        select 1
        from json_each($18) as asked
        where not exists (
            select 1
            from json_each(asked.value) as one
            join json_each(r.attributes) as has
            where has.key = asked.key and has.value is one.value
                and replace(has.type, 'real', 'integer') = replace(one.type, 'real', 'integer')
        )
    )))
    and ($19 is null or (r.attributes is not null and not exists (
        select 1
        from json_each($19) as asked
        where not exists (
            select 1
            from json_each(r.attributes) as has
            where has.key = asked.key and has.type in ('integer', 'real')
                and coalesce(has.value >= (asked.value ->> 'min'), true)
                and coalesce(has.value <= (asked.value ->> 'max'), true)
        )
    )))
    and ($20 is null or r.created_at >= $20)
    and ($21 is null or r.created_at < $21)
    and ($22 is null or +r.started_at >= $22)
    and ($23 is null or +r.started_at < $23)
    and ($24 is null or +r.finished_at >= $24)
    and ($25 is null or +r.finished_at < $25)
    and ($26 is null or r.queue = $26)
    and ($27 is null or r.queue = any($27))
    and ($28 is null or (r.queue is not null and r.partition_key = any($28)))
    and ($29 is null or (r.queue is not null and r.status in ('delayed', 'enqueued', 'running', 'paused')))
    and ($30 is null or (r.parent_key is not null) = $30)
    and ($31 is null or r.forked_from is not null)
    and ($32 is null or r.forked_from is null)
    and ($33 is null or r.run_key in (select forked_from from runs where forked_from is not null))
    and ($34 is null or not exists (select 1 from runs as fork where fork.forked_from = r.run_key))
    and ($35 is null or r.started_at >= $35)
    and ($36 is null or r.started_at < $36)
    and ($37 is null or r.finished_at >= $37)
    and ($38 is null or r.finished_at < $38)
    and ($39 is null or instr(r.id, $39) > 0)
    and ($40 is null or (r.error_code is not null and r.error_code = any($40)))
    and ($41 is null or r.origin = any($41))
    and ($42 is null or (r.origin is null or r.origin = any($42)))
    and ($43 is null or r.origin <> 'child')
    and ($44 is null or coalesce(r.executor, r.last_executor) = any($44))
    and ($45 is null or (r.finished_at - +r.started_at >= $45 or (r.finished_at is null and +r.started_at <= $46)))
    and ($47 is null or (r.finished_at - +r.started_at <= $47 or (r.finished_at is null and +r.started_at >= $48)))
    and ($49 is null or r.run_key = any($49))
    and ($50 is null or r.workflow <> all($50))
    and ($51 is null or r.version <> all($51))
    and ($52 is null or coalesce(r.identity ->> 'user', '') <> all($52))
    and ($53 is null or coalesce(r.executor, '') <> all($53))
    and ($54 is null or coalesce(r.executor, r.last_executor, '') <> all($54))
    and ($55 is null or coalesce(r.queue, '') <> all($55))
    and ($56 is null or coalesce(r.partition_key, '') <> all($56))
    and ($57 is null or coalesce(r.error_code, '') <> all($57))
    and ($58 is null or coalesce(r.origin, 'started') <> all($58))
    and ($59 is null or (r.attributes is null or not exists (
        select 1
        from json_each($59) as asked
        join json_each(asked.value) as one
        join json_each(r.attributes) as has
        where has.key = asked.key and has.value is one.value
            and replace(has.type, 'real', 'integer') = replace(one.type, 'real', 'integer')
    )))
    and ($60 is null or (+r.status = 'running' and r.run_key = any($60)))
    and ($61 is null or (+r.status = 'running' and exists (
        select 1
        from waits w
        where w.run_key = r.run_key and w.kind = any($61) and ($62 is null or w.topic = $62)
            and ($63 is null or (w.topic like 'onward:hook/%') = $63)
    )))
    and ($64 is null or (r.status = 'enqueued' and r.queue is not null and r.executor is null))
    and ($65 is null or (+r.executor is null and +r.ready_at <= $65
        and (+r.status = 'running' or (r.queue is null and +r.status in ('enqueued', 'delayed')))))
    and ($66 is null or r.run_key = any($66))
