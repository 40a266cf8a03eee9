-- List up to $3 messages to a run, from before place $2 back: of topic $4 if it is given, pending ones if $5, refused ones if $6,
-- and those that were taken if $7.
select seq, coalesce(place, seq) as place, topic, body, key, sent_at, refused, refused_at, consumed_by
from messages
where run_key = $1 and coalesce(place, seq) < $2 and (cast($4 as text) is null or topic = $4)
    and ((consumed_by is null and refused is null and $5) or (consumed_by is null and refused is not null and $6)
        or (consumed_by is not null and $7))
order by coalesce(place, seq) desc
limit $3
