-- Find up to $2 runs with a wait of kind $1, of those that have no topic.
select run_key
from waits
where child_key is null and kind = $1 and topic is null
limit $2
