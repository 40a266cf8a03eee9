-- Count runs that could not be written for so long that those which ended at their time are counted already.
-- The time is compared as an expression: through the index of ends, a plan made while there were few runs would read them all.
insert into run_counts (workflow, status, runs)
select workflow, status, count(*)
from runs
where run_key = any($1::uuid[]) and status in ('succeeded', 'failed')
    and finished_at + 0 < (select until from run_counts_until for share)
group by workflow, status
