-- Check whether fewer than $3 runs started from $1 to $2.
select count(*) < $3 as are_few
from (select 1 from runs where started_at >= $1 and started_at < $2 limit $3) as started
