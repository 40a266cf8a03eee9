-- Whoever waits for the run $1, which had the key $2, waits for it under its new key.
update waits
set child_key = $1
where child_key = $2 and not exists (select 1 from runs as there where there.run_key = $2)
