-- List up to $3 unconsumed messages to a run, from before place $2 back.
select seq, coalesce(place, seq) as place, topic, body, key, sent_at, refused, refused_at
from messages
where run_key = $1 and consumed_by is null and coalesce(place, seq) < $2
order by coalesce(place, seq) desc
limit $3
