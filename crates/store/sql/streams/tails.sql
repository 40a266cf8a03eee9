-- Find the last index of each stream of these runs. It jumps from stream to stream and to the end of each, because a stream may
-- be long.
with recursive named (run_key, key) as (
    select runs.run_key, (select min(s.key) from streams s where s.run_key = runs.run_key)
    from runs
    where runs.run_key = any($1)
    union all
    select named.run_key, (select min(s.key) from streams s where s.run_key = named.run_key and s.key > named.key)
    from named
    where named.key is not null
)
select named.run_key, named.key,
    (select max(s.idx) from streams s where s.run_key = named.run_key and s.key = named.key) as idx,
    (
        select s.kind
        from streams s
        where s.run_key = named.run_key and s.key = named.key
        order by s.idx desc
        limit 1
    ) as kind
from named
where named.key is not null
order by named.run_key, named.key
