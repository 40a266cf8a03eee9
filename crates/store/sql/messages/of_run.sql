-- What was sent to a run and not consumed, after place $2; $3 of it.
select seq, coalesce(place, seq) as place, topic, body, key, sent_at, refused, refused_at
from messages
where run_key = $1 and consumed_by is null and coalesce(place, seq) > $2
order by coalesce(place, seq)
limit $3
