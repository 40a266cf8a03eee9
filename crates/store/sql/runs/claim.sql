-- Claim runs for an executor. They were chosen and locked before.
update runs
set status = 'running', executor = $1, owners = owners + 1, ready_at = null, recover_at = null, said = null, updated_at = $2,
    started_at = coalesce(started_at, $2),
    deadline = coalesce(case when started_at is null and $2 + timeout < deadline then null else deadline end, $2 + timeout)
where run_key = any($3) and executor is null and exists (select 1 from executors where executor = $1 and not dead)
returning run_key, case when version = '' then workflow end as open
