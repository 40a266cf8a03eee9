-- Read the acts on a run for export.
select seq, steering
from steerings
where run_key = $1
order by seq
