-- Add a count.
insert into run_counts (workflow, status, runs)
values ($1, $2, $3)
