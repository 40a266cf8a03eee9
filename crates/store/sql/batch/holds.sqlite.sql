-- Add the hold of a run to its history, in the transaction in which the run leaves.
insert into steerings (run_key, seq, steering)
values ($1, 1 + coalesce((select max(seq) from steerings where run_key = $1), 0), $2)
