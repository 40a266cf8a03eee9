-- Give a fork, which has its checkpoints, what those calls appended to streams, under the same indices.
insert into streams (run_key, key, idx, position, attempt, kind, body, bytes, appended_at)
select $2, s.key, s.idx, s.position, s.attempt, s.kind, s.body, s.bytes, s.appended_at
from streams s
join checkpoints c on c.run_key = $2 and c.position = s.position
where s.run_key = $1
