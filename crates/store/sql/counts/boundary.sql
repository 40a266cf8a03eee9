-- Find when the run ended that is $3 runs after the first one that ended from $1 to $2.
select finished_at
from runs
where finished_at >= $1 and finished_at < $2
order by finished_at
limit 1 offset $3
