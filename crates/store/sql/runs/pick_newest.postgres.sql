-- The keys of a page of runs, newest first. A filter that is null lets everything through. Planned anew for every page, when
-- the filters are known: one that is null costs nothing then, and one that is not finds its index.
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
    and ($10::text is null or (r.identity is not null and r.identity::json ->> 'user' = $10))
    and ($11::text is null or r.executor = $11)
    and ($12::text is null or r.parent_key = (select run_key from runs where id = $12))
    and ($13::text is null or r.forked_from = (select run_key from runs where id = $13))
    and ($14::text is null or (r.attributes is not null and r.attributes::jsonb @> $14::jsonb))
    and ($15::bigint is null or r.created_at >= $15)
    and ($16::bigint is null or r.created_at < $16)
    and ($17::bigint is null or r.started_at >= $17)
    and ($18::bigint is null or r.started_at < $18)
    and ($19::bigint is null or r.finished_at >= $19)
    and ($20::bigint is null or r.finished_at < $20)
    and ($21::text is null or r.queue = $21)
    and ($22::boolean is null or r.queue is not null)
order by r.run_key desc
limit $23
