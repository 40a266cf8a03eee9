-- Store messages for their runs, in the order of the list. A message whose key was already sent to the run is the same message:
-- it is not stored, and not returned.
-- Differs from PostgreSQL in how a JSON list is read.
insert into messages (run_key, topic, body, key, sent_at)
select unhex(value ->> 'run', '-'), value ->> 'topic', value ->> 'body', value ->> 'key', $2
from json_each($1)
where true
order by id
on conflict (run_key, key) where key is not null do nothing
returning run_key, key, seq
