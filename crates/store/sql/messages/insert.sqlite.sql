-- Keep messages for the runs that they are for, in the order of the list. The same key again is the same message.
-- Differs from PostgreSQL: how a list in JSON is read.
insert into messages (run_key, topic, body, key, sent_at)
select unhex(value ->> 'run', '-'), value ->> 'topic', value ->> 'body', value ->> 'key', $2
from json_each($1)
where true
order by id
on conflict (run_key, key) where key is not null do nothing
