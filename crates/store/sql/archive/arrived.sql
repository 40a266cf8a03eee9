-- Point waits for the run whose key was $2 to its new key $1.
update waits
set child_key = $1
where child_key = $2 and not exists (select 1 from runs as there where there.run_key = $2)
