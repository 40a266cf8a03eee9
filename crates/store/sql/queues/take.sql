-- Claim up to $4 runs of a queue without limits, of the workflow versions in $5: lowest priority number first, then in the
-- order of arrival. Claimers run concurrently: rows that another has locked are skipped. The choice is made once, before the
-- update.
with chosen as materialized (
    select run_key
    from runs
    where queue = $3 and status = 'enqueued' and executor is null
        and (workflow || '@' || version) = any($5)
        and exists (select 1 from executors where executor = $1 and not dead)
    order by priority, seq
    limit $4
    for no key update skip locked
)
update runs
set status = 'running', executor = $1, owners = owners + 1, ready_at = null, recover_at = null, said = null, updated_at = $2,
    started_at = coalesce(started_at, $2),
    deadline = coalesce(case when started_at is null and $2 + timeout < deadline then null else deadline end, $2 + timeout)
where run_key in (select run_key from chosen)
returning run_key, case when version = '' then workflow end as open
