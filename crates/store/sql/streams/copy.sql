-- Copy stream chunks to a fork, for the calls that the fork has and for earlier generations. Indexes are renumbered to close gaps.
insert into streams (run_key, key, idx, position, attempt, kind, body, bytes, appended_at)
select
    $2, s.key, row_number() over (partition by s.key order by s.idx) - 1, s.position, s.attempt, s.kind, s.body, s.bytes,
    s.appended_at
from streams s
where s.run_key = $1 and (
    exists (select 1 from checkpoints c where c.run_key = $2 and c.position = s.position)
    or s.position < (select first_position from runs where run_key = $2)
)
