-- What was sent to these runs and not consumed yet, the oldest of each topic.
select run_key, seq, topic, body
from (
    select run_key, seq, topic, body, row_number() over (partition by run_key, topic order by seq) as place
    from messages
    where run_key = any($1) and consumed_by is null
) as numbered
where place <= $2
order by run_key, seq
