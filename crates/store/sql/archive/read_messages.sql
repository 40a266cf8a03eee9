-- Read the messages of a run for export.
select topic, body, key, sent_at, consumed_by, refused, refused_at
from messages
where run_key = $1
order by coalesce(place, seq)
