-- Calls take messages, each a message that none has taken. One that is gone or taken is a mistake of ours: the text that says so
-- is no number, which fails the batch as a position that is taken does. Messages are found by their keys: a plan that was made while
-- there were none looked through all that nobody took, by the index that has only those.
with wanted as materialized (
    select run_key, seq, position
    from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as given (run_key, seq, position)
    where run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
),
consumed as (
    update messages
    set consumed_by = wanted.position
    from wanted
    where messages.run_key = wanted.run_key and messages.seq = wanted.seq and coalesce(messages.consumed_by, -1) = -1
    returning messages.seq
),
counted as materialized (
    select (select count(*) from wanted) - (select count(*) from consumed) as missing
)
select case missing when 0 then 0 else (missing || ' messages are consumed already')::bigint end as missing
from counted
