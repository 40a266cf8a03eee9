-- End sleeps of a run early: all of them, or the one at position $3. A sleep that was already ended is not counted again.
update waits
set due_at = $2, woken = true
where run_key = $1 and kind = 'timer' and woken = false
    and (cast($3 as bigint) is null or position = cast($3 as bigint))
