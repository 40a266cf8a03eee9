-- Find the place of a call in the order of completion, if it is recorded, and the last place in that order.
select max(case when position = $2 then seq end) as seq, max(seq) as last
from checkpoints
where run_key = $1
