-- Where a call stands in the order of completions, if it is recorded, and where that order ends.
select max(case when position = $2 then seq end) as seq, max(seq) as last
from checkpoints
where run_key = $1
