-- Store messages for their runs, in the order of the list. A message whose key was already sent to the run is the same message:
-- it is not stored, and not returned.
-- Differs from SQLite in how a JSON list is read.
insert into messages (run_key, topic, body, key, sent_at)
select (message ->> 'run')::uuid, message ->> 'topic', message ->> 'body', message ->> 'key', $2
from json_array_elements($1::text::json) with ordinality as given (message, place)
order by place
on conflict (run_key, key) where key is not null do nothing
returning run_key, key, seq
