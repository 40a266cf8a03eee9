-- List up to $4 recorded calls of one run, from position $2 to $3, by position; if $7, only those with a
-- name in $6. Outputs are read only if $5 is true, except that a child start always says which child was started.
select position, seq, kind, name, error, started_at, finished_at, notes,
    case when $5 or kind = 'start' then output when output is not null then 'null' end as output
from checkpoints
where run_key = $1 and position >= $2 and position <= $3 and (not $7 or name = any($6))
order by position
limit $4
