-- Find the highest position of a call of this run, recorded or not, and the first one of its current generation. Patches are
-- not calls: their positions begin at 2147483648.
select first_position,
    (select max(position) from (
        select position from checkpoints where run_key = $1 and position < 2147483648
        union all
        select position from waits where run_key = $1
        union all
        select position from attempts where run_key = $1
    ) as calls) as position
from runs
where run_key = $1
