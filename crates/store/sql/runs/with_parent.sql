-- Find up to $1 runs that other runs started. The index on parents is scanned.
select run_key
from runs
where parent_key is not null
limit $1
