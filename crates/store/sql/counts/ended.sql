-- Count the runs that ended from $1 to $2, by workflow and state.
select workflow, status, count(*) as runs
from runs
where finished_at >= $1 and finished_at < $2
group by workflow, status
