-- Read up to $4 chunks of a stream from an index on. Says whether the step that appended each has a result, and which attempt
-- succeeded. What an earlier generation appended is final.
select s.idx, s.position, s.attempt, s.kind, s.body, s.bytes, s.appended_at,
    (
        exists (select 1 from checkpoints c where c.run_key = s.run_key and c.position = s.position)
        or exists (select 1 from runs r where r.run_key = s.run_key and s.position < r.first_position)
    ) as recorded,
    (
        select max(a.attempt)
        from attempts a
        where a.run_key = s.run_key and a.position = s.position and a.finished_at is not null and a.error is null
    ) as succeeded
from streams s
where s.run_key = $1 and s.key = $2 and s.idx >= $3
order by s.idx
limit $4
