-- Read how many runs ended before the time up to which they are counted.
select workflow, status, cast(sum(runs) as bigint) as runs
from run_counts
group by workflow, status
