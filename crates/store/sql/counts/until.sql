-- Read up to which time ended runs are counted.
select until
from run_counts_until
