-- Read unconsumed messages to these runs on the topics that they wait for: the first $2 of each topic.
select messages.run_key, messages.seq, coalesce(messages.place, messages.seq) as place, messages.topic, messages.body,
    messages.refused
from (
    select m.run_key, m.seq, row_number() over (partition by m.run_key, m.topic order by m.seq) as nth
    from messages m
    where m.run_key = any($1) and m.consumed_by is null and exists (
        select 1 from waits w where w.run_key = m.run_key and w.kind in ('message', 'person') and w.topic = m.topic
    )
) as found
join messages on messages.run_key = found.run_key and messages.seq = found.seq
where found.nth <= $2
