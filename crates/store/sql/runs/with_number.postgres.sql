-- Find up to $4 runs that may have a number between $2 and $3 as attribute $1.
select run_key
from run_attributes
where name = left($1, 100)
    and value >= coalesce(nearest_double($2::text::numeric), '-infinity'::double precision)
    and value <= coalesce(nearest_double($3::text::numeric), 'infinity'::double precision)
limit $4
