-- List the $2 latest acts on a run, newest first.
select steering
from steerings
where run_key = $1
order by seq desc
limit $2
