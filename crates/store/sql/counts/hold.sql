-- Lock the time up to which ended runs are counted, so that nothing happens to what is being counted.
select until
from run_counts_until
for update
