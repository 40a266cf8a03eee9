-- Find up to $2 runs whose id contains a text. The ids are chosen first, so that the index on ids is scanned, which is much
-- smaller than the runs. The order is that of the index: without it all runs are scanned.
select run_key
from runs
where id = any(array(select id from runs where strpos(id, $1) > 0 order by id limit $2))
