-- Count runs that could not be written for so long that those which ended at their time are counted already.
insert into run_counts (workflow, status, runs)
select workflow, status, count(*)
from runs
where run_key = any($1::uuid[]) and status in ('succeeded', 'failed')
    and finished_at < (select until from run_counts_until for share)
group by workflow, status
