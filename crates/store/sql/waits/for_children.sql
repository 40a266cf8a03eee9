-- Find up to $1 runs that wait for a child.
select run_key
from waits
where child_key is not null
limit $1
