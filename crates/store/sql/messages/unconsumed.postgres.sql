-- Read unconsumed messages to runs on the topics in $1: the first $2 of each topic after the last one that was read.
-- Differs from SQLite in how a JSON list is read, and in that a lateral join is possible.
select wanted.run_key, found.seq, found.place, wanted.topic, found.body, found.refused
from (
    select (line ->> 'run')::uuid as run_key, line ->> 'topic' as topic, (line ->> 'after')::bigint as after
    from json_array_elements($1::text::json) as line
) as wanted
cross join lateral (
    select seq, coalesce(place, seq) as place, body, refused
    from messages
    where messages.run_key = wanted.run_key and messages.topic = wanted.topic and messages.consumed_by is null
        and messages.seq > wanted.after
    order by seq
    limit $2
) as found
