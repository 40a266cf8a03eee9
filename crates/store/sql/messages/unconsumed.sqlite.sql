-- Read unconsumed messages to runs on the topics in $1: the first $2 of each topic after the last one that was read.
-- Differs from PostgreSQL in how a JSON list is read, and in using a subquery because SQLite has no lateral joins.
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
