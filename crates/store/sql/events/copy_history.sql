-- Copy the values of events to a fork, for the calls that the fork has and for earlier generations.
insert into event_history (run_key, position, key, value, set_at)
select $2, h.position, h.key, h.value, h.set_at
from event_history h
where h.run_key = $1 and (
    exists (select 1 from checkpoints c where c.run_key = $2 and c.position = h.position)
    or h.position < (select first_position from runs where run_key = $2)
)
