-- Copy stream chunks to a fork, for the calls that the fork has. Indexes are renumbered to close gaps.
insert into streams (run_key, key, idx, position, attempt, kind, body, bytes, appended_at)
select
    $2, s.key, row_number() over (partition by s.key order by s.idx) - 1, s.position, s.attempt, s.kind, s.body, s.bytes,
    s.appended_at
from streams s
join checkpoints c on c.run_key = $2 and c.position = s.position
where s.run_key = $1
