-- Copy the values of events to a fork, for the calls that the fork has.
insert into event_history (run_key, position, key, value, set_at)
select $2, h.position, h.key, h.value, h.set_at
from event_history h
join checkpoints c on c.run_key = $2 and c.position = h.position
where h.run_key = $1
