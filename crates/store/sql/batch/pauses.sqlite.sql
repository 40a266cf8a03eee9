-- Open the wait of a call with which a run paused itself, in the transaction in which the run leaves.
insert into waits (run_key, position, kind, name, since)
values ($1, $2, $3, $4, $5)
on conflict (run_key, position) do nothing
