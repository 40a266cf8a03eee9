-- Set the time up to which ended runs are counted.
update run_counts_until
set until = $1
