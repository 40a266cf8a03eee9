-- Check whether fewer than $3 runs ended from $1 to $2.
select count(*) < $3 as are_few
from (select 1 from runs where finished_at >= $1 and finished_at < $2 limit $3) as finished
