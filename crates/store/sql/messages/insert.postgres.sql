-- Keep messages for the runs that they are for, in the order of the list. The same key again is the same message.
-- Differs from SQLite: how a list in JSON is read.
insert into messages (run_key, topic, body, key, sent_at)
select (message ->> 'run')::uuid, message ->> 'topic', message ->> 'body', message ->> 'key', $2
from json_array_elements($1::text::json) with ordinality as given (message, place)
order by place
on conflict (run_key, key) where key is not null do nothing
