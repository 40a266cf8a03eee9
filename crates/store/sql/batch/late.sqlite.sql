-- Count a run that could not be written for so long that those which ended at its time are counted already.
insert into run_counts (workflow, status, runs)
select workflow, status, 1
from runs
where run_key = $1 and status in ('succeeded', 'failed') and finished_at + 0 < (select until from run_counts_until)
