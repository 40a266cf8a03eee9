-- Set the events of a fork to the latest of its copied values.
insert into events (run_key, key, value, updated_at)
select run_key, key, value, set_at
from (
    select h.run_key, h.key, h.value, h.set_at, row_number() over (partition by h.key order by h.set_at desc, coalesce(c.seq, 0) desc) as nth
    from event_history h
    left join checkpoints c on c.run_key = h.run_key and c.position = h.position
    where h.run_key = $1
) as ranked
where nth = 1
