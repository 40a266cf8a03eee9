-- Count the refused messages to these runs on the topics that they wait for, and say why the last one of each topic was
-- refused.
select run_key, topic, refused, of_topic
from (
    select m.run_key, m.topic, m.refused, count(*) over (partition by m.run_key, m.topic) as of_topic,
        row_number() over (partition by m.run_key, m.topic order by m.seq desc) as nth
    from messages m
    where m.run_key = any($1) and m.refused is not null and m.consumed_by is null and exists (
        select 1 from waits w where w.run_key = m.run_key and w.kind = 'message' and w.topic = m.topic
    )
) as found
where nth = 1
