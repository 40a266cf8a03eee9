-- Delete all counts.
delete from run_counts
