-- Something that parked runs may wait for has happened: look again. A row that another session holds is stepped over; the sweep in
-- runs/wake_missed.sql makes up for that.
with parked as materialized (
    select run_key
    from runs
    where run_key = any($1) and executor is null and status = 'running'
    for no key update skip locked
)
update runs
set ready_at = $2
where run_key in (select run_key from parked)
