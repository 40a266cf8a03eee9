-- Wake parked runs of the workflow versions in $2, after run $3, that wait for messages that were refused: the code that
-- executes them may have changed.
update runs
set ready_at = $1
where run_key in (
    select r.run_key
    from runs r
    where r.executor is null and r.status = 'running' and r.recover_at is null
        and (r.ready_at is null or r.ready_at > $1) and r.run_key > $3
        and (r.workflow || '@' || r.version) = any($2)
        and r.run_key in (
            select m.run_key
            from messages m
            join waits w on w.run_key = m.run_key and w.kind in ('message', 'person') and w.topic = m.topic
            where m.refused is not null and m.consumed_by is null
        )
    order by r.run_key
    limit $4
    for no key update of r skip locked
)
returning run_key
