-- What was sent to runs and not consumed yet, on the topics in $1, each after the last that was read of it; the first $2 of each.
-- Differs from PostgreSQL: how a list in JSON is read, and that a join cannot look back, but a list of numbers can.
select messages.run_key, messages.seq, coalesce(messages.place, messages.seq) as place, messages.topic, messages.body,
    messages.refused
from json_each($1) as wanted
cross join messages
where messages.seq in (
    select waiting.seq
    from messages as waiting
    where waiting.run_key = unhex(wanted.value ->> 'run', '-') and waiting.topic = wanted.value ->> 'topic'
        and waiting.consumed_by is null and waiting.seq > (wanted.value ->> 'after')
    order by waiting.seq
    limit $2
)
