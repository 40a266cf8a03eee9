-- What one run has recorded from position $2 on, $3 calls of it, in their order. Outputs where $4 asks for them; which child was
-- started is always told.
select position, kind, name, error, started_at, finished_at,
    case when $4 or kind = 'start' then output when output is not null then 'null' end as output
from checkpoints
where run_key = $1 and position >= $2
order by position
limit $3
