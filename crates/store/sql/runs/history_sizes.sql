-- Estimate how many bytes must be read to replay each of these runs, without reading long texts.
select r.run_key,
    cast(
        coalesce(octet_length(r.input), 0)
        + coalesce((select octet_length(body) from payloads where run_key = r.run_key and kind = 'input'), 0)
        + coalesce((
            select sum(coalesce(octet_length(c.output), 0) + coalesce(octet_length(c.error), 0))
            from checkpoints c
            where c.run_key = r.run_key
        ), 0)
        + coalesce((
            select sum(octet_length(m.body))
            from messages m
            where m.run_key = r.run_key and m.consumed_by is null and exists (
                select 1 from waits w where w.run_key = m.run_key and w.kind in ('message', 'person') and w.topic = m.topic
            )
        ), 0)
    as bigint) as bytes
from runs r
where r.run_key = any($1)
