-- Count the sleeps of a run that can be ended early: all of them, or the one at position $2.
select count(*) as sleeps
from waits
where run_key = $1 and kind = 'timer' and woken = false
    and (cast($2 as bigint) is null or position = cast($2 as bigint))
