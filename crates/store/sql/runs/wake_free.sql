-- Wake parked runs, because something that they may wait for has happened. Rows that another session has locked are skipped;
-- the sweep in runs/wake_missed.sql makes up for that.
with parked as materialized (
    select run_key
    from runs
    where run_key = any($1) and executor is null and status = 'running' and recover_at is null
    for no key update skip locked
)
update runs
set ready_at = $2
where run_key in (select run_key from parked)
