-- Wake those of these runs that are still parked. One that another session holds is left for the next sweep: it may be held for
-- long, and the others have nothing to do with it.
update runs
set ready_at = $2
where run_key in (
    select run_key
    from runs
    where run_key = any($1) and executor is null and status = 'running' and (ready_at is null or ready_at > $2)
    for no key update skip locked
)
