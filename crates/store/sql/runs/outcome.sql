-- How a run ended, if it did, and what holds it, if something does.
select r.status, r.said,
    coalesce(r.output, (select body from payloads where run_key = r.run_key and kind = 'output')) as output,
    coalesce(r.error, (select body from payloads where run_key = r.run_key and kind = 'error')) as error
from runs r
where r.run_key = $1
