-- Select the keys of runs; the order and the limit are appended. A filter that is null accepts every run. The statement is
-- planned for every page, when the filters are known: one that is null costs nothing, and one that is not can use its index.
select r.run_key
from runs r
where ($1::uuid is null or r.run_key < $1)
    and ($2::uuid is null or r.run_key > $2)
    and ($3::text[] is null or r.id = any($3))
    and ($4::text is null or r.id >= $4)
    and ($5::text is null or r.id < $5)
    and ($6::text[] is null or r.status = any($6))
    and ($7::text is null or r.status <> $7)
    and ($8::text[] is null or r.workflow = any($8))
    and ($9::text[] is null or r.version = any($9))
    and ($10::boolean is null or r.version <> '1')
    and ($11::text is null or (r.identity is not null and r.identity::json ->> 'user' = $11))
    and ($12::text[] is null or (r.identity is not null and r.identity::json ->> 'user' = any($12)))
    and ($13::text is null or r.executor = $13)
    and ($14::text[] is null or r.executor = any($14))
    and ($15::text is null or r.parent_key = (select run_key from runs where id = $15))
    and ($16::text is null or r.forked_from = (select run_key from runs where id = $16))
    and ($17::text is null or (r.attributes is not null and r.attributes::jsonb @> $17::jsonb))
    and ($18::text is null or (r.attributes is not null and not exists (
        select 1
        from jsonb_each($18::jsonb) as asked
        where not exists (
            select 1
            from jsonb_array_elements(asked.value) as one
            where r.attributes::jsonb -> asked.key = one.value
        )
    )))
    and ($19::text is null or (r.attributes is not null and not exists (
        select 1
        from jsonb_each($19::jsonb) as asked
        where case
            when jsonb_typeof(r.attributes::jsonb -> asked.key) = 'number' then
                (r.attributes::jsonb ->> asked.key)::numeric < (asked.value ->> 'min')::numeric
                or (r.attributes::jsonb ->> asked.key)::numeric > (asked.value ->> 'max')::numeric
            else true
        end
    )))
    and ($20::bigint is null or r.created_at >= $20)
    and ($21::bigint is null or r.created_at < $21)
    and ($22::bigint is null or r.started_at >= $22)
    and ($23::bigint is null or r.started_at < $23)
    and ($24::bigint is null or r.finished_at >= $24)
    and ($25::bigint is null or r.finished_at < $25)
    and ($26::text is null or r.queue = $26)
    and ($27::text[] is null or r.queue = any($27))
    and ($28::text[] is null or (r.queue is not null and r.partition_key = any($28)))
    and ($29::boolean is null or (r.queue is not null and r.status in ('delayed', 'enqueued', 'running', 'paused')))
    and ($30::boolean is null or (r.parent_key is not null) = $30)
    and ($31::boolean is null or r.forked_from is not null)
    and ($32::boolean is null or r.forked_from is null)
    and ($33::boolean is null or r.run_key = any(array(select distinct forked_from from runs where forked_from is not null)))
    and ($34::boolean is null or not exists (select 1 from runs as fork where fork.forked_from = r.run_key))
    and ($35::bigint is null or r.started_at >= $35)
    and ($36::bigint is null or r.started_at < $36)
    and ($37::bigint is null or r.finished_at >= $37)
    and ($38::bigint is null or r.finished_at < $38)
    and ($39::text is null or strpos(r.id, $39) > 0)
    and ($40::text[] is null or (r.error_code is not null and r.error_code = any($40)))
    and ($41::text[] is null or r.origin = any($41))
    and ($42::text[] is null or (r.origin is null or r.origin = any($42)))
    and ($43::boolean is null or r.origin <> 'child')
    and ($44::text[] is null or (r.executor = any($44) or (r.executor is null and r.last_executor = any($44))))
    and ($45::bigint is null or (r.finished_at - r.started_at >= $45 or (r.finished_at is null and r.started_at <= $46)))
    and ($47::bigint is null or (r.finished_at - r.started_at <= $47 or (r.finished_at is null and r.started_at >= $48)))
    and ($49::uuid[] is null or r.run_key = any($49))
    and ($50::text[] is null or r.workflow <> all($50))
    and ($51::text[] is null or r.version <> all($51))
    and ($52::text[] is null or coalesce(r.identity::json ->> 'user', '') <> all($52))
    and ($53::text[] is null or coalesce(r.executor, '') <> all($53))
    and ($54::text[] is null or coalesce(r.executor, r.last_executor, '') <> all($54))
    and ($55::text[] is null or coalesce(r.queue, '') <> all($55))
    and ($56::text[] is null or coalesce(r.partition_key, '') <> all($56))
    and ($57::text[] is null or coalesce(r.error_code, '') <> all($57))
    and ($58::text[] is null or coalesce(r.origin, 'started') <> all($58))
    and ($59::text is null or (r.attributes is null or not exists (
        select 1
        from jsonb_each($59::jsonb) as asked
        cross join jsonb_array_elements(asked.value) as one
        where r.attributes::jsonb -> asked.key = one.value
    )))
    and ($60::uuid[] is null or (r.status = 'running' and r.run_key = any($60)))
    and ($61::text[] is null or (r.status = 'running' and exists (
        select 1
        from waits w
        where w.run_key = r.run_key and w.kind = any($61) and ($62::text is null or w.topic = $62)
            and ($63::boolean is null or (w.topic like 'onward:hook/%') = $63)
    )))
    and ($64::boolean is null or (r.status = 'enqueued' and r.queue is not null and r.executor is null))
    and ($65::bigint is null or (r.executor is null and r.ready_at <= $65
        and (r.status = 'running' or (r.queue is null and r.status in ('enqueued', 'delayed')))))
    and ($66::uuid[] is null or r.run_key = any($66))
