-- Check whether a run may still append to its streams, and whether it closed this one.
select r.status, r.executor, coalesce((
    select s.kind = 'close'
    from streams s
    where s.run_key = r.run_key and s.key = $2
    order by s.idx desc
    limit 1
), false) as closed
from runs r
where r.run_key = $1
