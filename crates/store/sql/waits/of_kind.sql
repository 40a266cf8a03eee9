-- Find up to $4 runs with a wait of kind $1 on a topic from $2 on and before $3.
select run_key
from waits
where child_key is null and kind = $1 and topic >= $2 and topic < $3
limit $4
