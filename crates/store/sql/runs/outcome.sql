-- Read the outcome of a run, if it has ended, and what holds it, if anything. A run that was cancelled with another run names
-- that one.
select r.status, r.said,
    coalesce(r.output, (select body from payloads where run_key = r.run_key and kind = 'output')) as output,
    coalesce(r.error, (select body from payloads where run_key = r.run_key and kind = 'error')) as error,
    case
        when r.status = 'cancelled' and r.steered_with is not null
        then coalesce((select id from runs as root where root.run_key = r.steered_with), '(deleted since)')
    end as cancelled_with
from runs r
where r.run_key = $1
