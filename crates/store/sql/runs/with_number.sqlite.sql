-- Find up to $4 runs that may have a number between $2 and $3 as attribute $1.
select run_key
from run_attributes
where name = $1 and value >= coalesce(cast($2 as real), -9e999) and value <= coalesce(cast($3 as real), 9e999)
limit $4
