-- Wake those of these runs that are still parked. One that another session has locked is left for the next sweep: the lock may
-- last long, and must not delay the others.
update runs
set ready_at = $2
where run_key in (
    select run_key
    from runs
    where run_key = any($1) and executor is null and status = 'running' and recover_at is null
        and (ready_at is null or ready_at > $2)
    for no key update skip locked
)
