-- List up to $3 recorded calls of one run, from position $2 on, by position. Outputs are read only if $4 is true, except that a
-- child start always says which child was started.
select position, kind, name, error, started_at, finished_at, notes,
    case when $4 or kind = 'start' then output when output is not null then 'null' end as output
from checkpoints
where run_key = $1 and position >= $2
order by position
limit $3
