-- List up to $3 acts on a run after number $2, oldest first.
select seq, steering
from steerings
where run_key = $1 and seq > $2
order by seq
limit $3
