-- Count runs that ended before the time up to which ended runs are counted already: they come from a file, or could not be
-- written for a while.
insert into run_counts (workflow, status, runs)
select workflow, status, count(*)
from runs
where run_key = any($1) and finished_at + 0 < (select until from run_counts_until for share)
group by workflow, status
